"""
`backfill`: images that are there already, put into a lane's topic as uploads are.

    rows ─► uploads ─┐
    bucket ──────────┼─► checking ─► spool ─► sending (what earlier runs wrote is left out) ─► the lane's topic
    topic ───────────┘      the service's own decoder                       ▲
                                                             earlier: the topic is read back

Everything is read, and checked, before anything is sent. What is sent has the run and a digest of what was asked in a
header, by which another run knows it.
"""
