"""
Made-up policies, events and answers, and what must come of them.

    cases.py    case number N of a seed: a policy in YAML, an event and answers in JSON             (pure)
    oracle.py   reads YAML and JSON for itself, and says what is refused and what is decided        (pure)
    play.py     has the service's code read, refuse and decide the same, and names what is different

The same seed makes the same cases: one that fails is played alone by `python -m bench.policies --seed S --only N`.
"""
