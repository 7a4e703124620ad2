"""
What another policy would have decided about what was published, counted. Pure, deterministic, and no call.

    verdicts, as JSON ──records──► one a submission ──alike──► decisions of both policies ──counts──► result

Memory does not grow with the number of records: what grows is bounded where it is declared.
"""
