"""
What others would write for the same job, run as `python -m … run --config FILE` with the service's own configuration.

    loop.py     a plain aiokafka loop: poll, gather, commit
    stream.py   FastStream, as its documentation shows it
    asking.py   what both share: one signed call, paced, and the verdict's shape

They retry nothing and keep no order. Their pace is one call every 1 / qps seconds, their brokers' settings are ours.
"""
