"""
A real Apache Kafka for tests, benchmarks and use by hand (`python -m tests.rig.kafka`), from its Maven artifacts.

    async with KafkaCluster.start(brokers=1) as kafka:
        await kafka.create_topic("uploads", partitions=4)
        await publish(kafka.bootstrap_servers, "uploads", [NewRecord(b"value", key=b"key")])
        records = await read_all(kafka.bootstrap_servers, "uploads")

`fixtures.py` makes pytest fixtures of it, `admin.py` and `waiting.py` are for tests too.
"""

from tests.rig.kafka.broker import StartFailed
from tests.rig.kafka.cluster import KafkaCluster
from tests.rig.kafka.groups import Group, committed, describe
from tests.rig.kafka.jars import DownloadFailed, ToolMissing
from tests.rig.kafka.records import NewRecord, publish, read_all

__all__ = [
    "DownloadFailed",
    "Group",
    "KafkaCluster",
    "NewRecord",
    "StartFailed",
    "ToolMissing",
    "committed",
    "describe",
    "publish",
    "read_all",
]
