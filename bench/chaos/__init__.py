"""
What the service does when things break: whole runs on a real Kafka, each judged by what it left behind.

    scenarios/     what is run, a file for each kind of breakage
    contestants/   what others would write, put through the same
    stage.py       topics, configuration, uploads; what stands in the topics afterwards
    crew.py        replicas that come and go
    sampling.py    what is looked at while a run goes on
    work.py        the uploads, by seed                                   (pure)
    compare.py     uploads, calls and outcomes against each other         (pure)
    commits.py     the coordinator's own records of commits              (pure)
    report.py      checks with their thresholds, as text and JSON         (pure)
    nets.py        all safety nets of the service at once, and what each was seen to do
    without.py     the service with one mechanism switched off

Nothing is believed that the service says of itself: calls are counted by the provider's process, outcomes by Kafka's
own timestamps. `make chaos` runs the short forms, `make chaos-full` the long ones.
"""
