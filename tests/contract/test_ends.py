"""Where partitions end, asked of their leaders."""

from collections.abc import Collection

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumer.intake.starts import ends_of
from consumer.records import Partition
from tests.rig.kafka import KafkaCluster, NewRecord, publish

pytestmark = pytest.mark.scenario  # a broker goes away

PARTITIONS = 6


class CountingConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Keeps what it was asked for."""

    asked: list[Collection[TopicPartition]]

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked.append(partitions)
        ends: dict[TopicPartition, int] = await super().end_offsets(partitions)
        return ends

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked.append(partitions)
        begins: dict[TopicPartition, int] = await super().beginning_offsets(partitions)
        return begins


async def test_each_leader_is_asked_once_and_one_that_is_away_holds_up_no_other(
    kafka_cluster: KafkaCluster, topic: str
) -> None:
    """
    A take-over of many partitions costs a request a broker; those of a broker that does not answer are left for the
    next attempt.
    """
    kafka, partitions = kafka_cluster, [Partition(topic, number) for number in range(PARTITIONS)]
    await kafka.create_topic(topic, PARTITIONS, replication=1)
    records = [NewRecord(b"x", partition=each.number) for each in partitions for _ in range(each.number)]
    await publish(kafka.bootstrap_servers, topic, records)
    leaders = {each: await kafka.leader_of(*each) for each in partitions}
    async with CountingConsumer(topic, bootstrap_servers=kafka.bootstrap_servers) as consumer:
        consumer.asked = []
        all_ends = await ends_of(consumer, partitions)
        requests = len(consumer.asked)
        kafka.suspend_broker(2)
        try:
            ends = await ends_of(consumer, partitions)
        finally:
            kafka.resume_broker(2)

    assert set(leaders.values()) == {1, 2, 3}
    assert all_ends == {each: each.number for each in partitions}
    assert requests == 3
    assert ends == {each: each.number for each in partitions if leaders[each] != 2}
