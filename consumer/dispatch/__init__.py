"""
When a call may leave: the replica's share of the quota, the pace, the gate and the calls at once. Knows no provider.

`quota.py` says how many calls a second and until when, `pace.py` at which moment, `gate.py` lets them go by lane,
`concurrency.py` bounds how many are under way, and `in_flight.py` knows when none is.
"""
