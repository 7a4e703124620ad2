"""
Input topics that are not there, and what becomes of them: told by name, never created, read once they are.
"""

import asyncio

from aiokafka.admin import NewPartitions

from consumer.intake import source as intake
from tests.contract.reading import kafka_settings, reading, upload
from tests.rig.kafka import KafkaCluster
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.waiting import DEADLINE, until


async def test_a_topic_that_does_not_exist_is_named_and_not_created() -> None:
    """
    A misspelt topic is no topic that nobody uploads to: though the broker would create it, readiness says its name.
    """
    creating = KafkaCluster.start(properties={"auto.create.topics.enable": "true"})
    async with creating as kafka, reading(kafka, "misspelt") as reader:
        await until(lambda: any("misspelt" in reason for reason in reader.source.reasons_not_ready()))
        async with admin_client(kafka.bootstrap_servers) as admin:
            topics = await admin.list_topics()

    assert "misspelt" not in topics


async def test_a_topic_that_is_made_later_is_read(kafka: KafkaCluster, topic: str) -> None:
    """
    Within 30 s of its creation, without a restart; it is deleted and named again in the same way.
    """
    async with reading(kafka, topic) as reader:
        await until(lambda: any(topic in reason for reason in reader.source.reasons_not_ready()))
        await make(kafka, topic)
        await upload(kafka, topic, 3, partition=0)

        async with asyncio.timeout(DEADLINE):
            await reader.until(lambda: len(reader.records) == 3)
        await until(lambda: reader.source.reasons_not_ready() == [])
        reader.settle_all()
        async with admin_client(kafka.bootstrap_servers) as admin:
            await admin.delete_topics([topic])

        await until(lambda: any(topic in reason for reason in reader.source.reasons_not_ready()))


async def test_partitions_that_are_added_are_read_from_their_beginning(kafka: KafkaCluster, topic: str) -> None:
    """
    What was uploaded to them before they were noticed is judged like all else.
    """
    await make(kafka, topic)
    async with reading(kafka, topic) as reader:
        await until(lambda: reader.source.reasons_not_ready() == [])
        async with admin_client(kafka.bootstrap_servers) as admin:
            await admin.create_partitions({topic: NewPartitions(total_count=4)})
        await upload(kafka, topic, 5, partition=3)

        async with asyncio.timeout(DEADLINE):
            await reader.until(lambda: reader.offsets(3) == [0, 1, 2, 3, 4])


def test_topics_are_looked_for_often_enough() -> None:
    """
    New partitions and topics are noticed within 30 s: a look, and the group's rebalance.
    """
    assert intake.METADATA_MAX_AGE <= 15


async def make(kafka: KafkaCluster, topic: str) -> None:
    await kafka.create_topic(topic)
    outputs = kafka_settings(kafka, topic).outputs
    for output in outputs.all:
        await kafka.create_topic(output)
