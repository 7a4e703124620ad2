"""
`policy redecide`: what is published, decided again by another policy. No call is made.

    the outputs ─1─► chains: what has the place of what ─2─► flips ──► superseding verdicts, paced

They are read twice: first for what people and earlier runs said about what, then for the verdicts themselves.
"""
