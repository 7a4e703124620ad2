"""
People's decisions: each becomes a verdict, is remembered, and counts before what a policy says of the same image.

    decisions ──► read ──► the verdict that it names ──► judged ──► remembered ──► final verdict ──► whoever is told
    verdicts  ──► remembered? ──► contradicts ──► the person's verdict once more

`review.py` reads a decision, `judging.py` says what it leads to, `memory.py` remembers it; these are values only.
`carrying.py` carries one record to its end, over the machinery that carries uploads.
"""
