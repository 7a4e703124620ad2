"""
What `consumer/kafka/internals.py` relies on in aiokafka 0.14, at a real broker.
"""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata

from consumer.kafka import internals
from tests.contract.consumers import joined
from tests.rig.kafka import KafkaCluster, NewRecord, committed, describe, publish
from tests.rig.kafka.waiting import until


async def test_a_commit_goes_out_as_its_own_generation_or_not_at_all(kafka: KafkaCluster, topic: str) -> None:
    """
    What was decided for one generation is not committed as another, though the consumer is a member again.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        first = internals.generation(consumer)
        await internals.commit_once(consumer, {partition: OffsetAndMetadata(1, "one")}, first)
        async with joined(kafka.bootstrap_servers, topic, topic):
            await until(lambda: internals.generation(consumer) > first)
            with pytest.raises(CommitFailedError):
                await internals.commit_once(consumer, {partition: OffsetAndMetadata(2, "two")}, first)

    assert await committed(kafka.bootstrap_servers, topic) == {partition: (1, "one")}


async def test_who_has_left_commits_nothing(kafka: KafkaCluster, topic: str) -> None:
    """
    The public method would commit as a client without a group, which an empty group takes.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic, max_poll_interval_ms=300) as consumer:
        generation = internals.generation(consumer)

        async def has_left() -> bool:
            return (await describe(kafka.bootstrap_servers, topic)).state == "Empty"

        await until(has_left)
        with pytest.raises(CommitFailedError):
            await internals.commit_once(consumer, {partition: OffsetAndMetadata(5, "")}, generation)

    assert await committed(kafka.bootstrap_servers, topic) == {}


async def test_a_commits_metadata_is_read_back(kafka: KafkaCluster, topic: str) -> None:
    """
    By a member, with the offset; a partition without a commit is not there.
    """
    await kafka.create_topic(topic, partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        generation = internals.generation(consumer)
        await internals.commit_once(consumer, {first: OffsetAndMetadata(3, "mark")}, generation)
        found = await internals.committed(consumer, [first, second])

    assert found == {first: OffsetAndMetadata(3, "mark")}


async def test_the_position_is_told_without_waiting(kafka: KafkaCluster, topic: str) -> None:
    """
    None before it is known and for partitions of others; then the next offset.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"") for _ in range(3)])

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await consumer.getmany(timeout_ms=5_000, max_records=2)
        position = internals.position(consumer, partition)
        of_others = internals.position(consumer, TopicPartition(topic, 7))

    assert (position, of_others) == (2, None)
