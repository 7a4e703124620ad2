"""
Replicas that share a quota, simulated: does their sum ever exceed it, and how much of it do they use?

    group.py     the broker's side of a group: members, generations, evictions           (pure)
    replica.py   one replica: the service's own `Quota` and `Pace`, on a clock that drifts
    schedule.py  what happens to them: joins, leaves, stops, cuts, by scenario and seed  (pure)
    world.py     runs a schedule, event by event, and tells when calls went out

Simulated time is the broker's. `python -m bench.shares --schedules 2000` prints the figures.
"""
