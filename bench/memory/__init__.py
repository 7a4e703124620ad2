"""
The most memory that the service takes under the worst input of each kind, beside what its configuration allows.

    cases.py      what is sent, and what is answered        (pure)
    measuring.py  one case: topics, a provider, the service as a process, and its peak
    __main__.py   all of them, as a table

    python -m bench.memory
"""
