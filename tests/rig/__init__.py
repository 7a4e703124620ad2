"""
What tests and benches are rigged with. It imports the service and itself, never a test or a bench.

    kafka/            a real Apache Kafka: brokers, topics, groups, record batches, pytest fixtures
    go_tools.py       helm, which renders the chart, and MinIO, both built by Go; `minio.py`: the latter as a process
    needs.py          what of this a machine lacks, and what becomes of its tests; `sharing.py`: what runs side by side
    amazon.py         moto, in the place of Amazon's services; `s3.py`: what is put into stores, and told of it
    warm.py           the command line, without its imports each time
    replica.py        the service as a process; `children.py`: any other process
    stage.py          topics, configuration, uploads and outcomes of a run; `events.py`: uploads, as bytes and as values
    outcomes.py       the names of decisions and output topics
    emulated.py       the emulated provider, with images (`pictures.py`) that each test may break
    quick_provider/   a provider that answers a thousand calls a second and tells when each came
    windows.py        how many calls came in how short a time
    link.py           a slow network, or one that is cut; `proxying.py`: a proxy, and TLS
    clock.py          a clock that tests own
    sources.py        a member of a consumer group inside of this process
    simulation/       replicas that share a quota, on simulated time
    fuzz/             records and answers that no one would send on purpose
"""
