"""
What this service needs of Kafka and of aiokafka 0.14, held against the real things.

`test_broker.py` runs on the embedded broker and a real Kafka alike, so the fake cannot drift. The other suites pin
behaviour of aiokafka that the service is built around: one that fails after an upgrade names a place to look at.
"""
