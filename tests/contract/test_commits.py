"""
What becomes of a commit: in aiokafka 0.14, and at a real broker.
"""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, OffsetMetadataTooLargeError

from tests.contract.consumers import joined, outage, stays_pending
from tests.rig.kafka import KafkaCluster, committed, describe
from tests.rig.kafka.waiting import DEADLINE, until


async def test_a_commit_outlives_an_outage_and_a_stop_does_not(kafka: KafkaCluster, topic: str) -> None:
    """
    While the brokers are away a commit is tried again for ever, yet another consumer can be stopped.

    aiokafka 0.14: a commit has no timeout of its own, so the committer needs one. `stop` ends by returning or as if it
    had been cancelled: it awaits fetches that it cancelled itself and lets the CancelledError of one that waits before
    its next attempt escape. So it runs in a task of its own.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with (
        joined(kafka.bootstrap_servers, topic, topic, session_timeout_ms=30_000) as committing,
        joined(kafka.bootstrap_servers, topic, f"{topic}-other") as stopping,
    ):
        async with outage(kafka):
            commit = asyncio.create_task(committing.commit({partition: 5}))
            waited = await stays_pending(commit)
            stop = asyncio.create_task(stopping.stop())
            await asyncio.wait({stop}, timeout=DEADLINE)
            stopped = stop.done()
        await commit

        assert waited
        assert await committing.committed(partition) == 5
    assert stopped
    assert stop.cancelled() or stop.exception() is None


async def test_cancelling_a_commit_does_not_take_it_back(kafka: KafkaCluster, topic: str) -> None:
    """
    A commit that was cancelled on its way arrives all the same.

    aiokafka 0.14: the request is shielded.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        commit = asyncio.create_task(consumer.commit({partition: 5}))
        await asyncio.sleep(0)  # it runs as far as its request
        commit.cancel()
        await asyncio.wait({commit})

        async def arrived() -> bool:
            return int(await consumer.committed(partition) or 0) == 5

        await until(arrived)

    assert commit.cancelled()


async def test_a_commit_after_leaving_is_accepted_by_an_empty_group(kafka: KafkaCluster, topic: str) -> None:
    """
    A consumer that lost its membership can still commit while nobody else is in the group.

    aiokafka 0.14 sends it with generation −1 and no member id, as a client without a group would.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic, max_poll_interval_ms=300) as consumer:
        await until(lambda: has_left(kafka, topic))
        await consumer.commit({partition: 5})

    assert (await committed(kafka.bootstrap_servers, topic))[partition].offset == 5


async def test_a_commit_after_leaving_is_refused_once_the_group_has_a_member(kafka: KafkaCluster, topic: str) -> None:
    """
    A consumer that lost its membership cannot commit over its successor.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic, max_poll_interval_ms=300) as consumer:
        await until(lambda: has_left(kafka, topic))
        async with joined(kafka.bootstrap_servers, topic, topic) as successor:
            await successor.commit({partition: 7})
            with pytest.raises(CommitFailedError):
                await consumer.commit({partition: 5})

            assert await successor.committed(partition) == 7


async def test_a_lower_offset_is_accepted_after_a_higher_one(kafka: KafkaCluster, topic: str) -> None:
    """
    The broker keeps the last commit, not the highest: never going back is the committer's own duty.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await consumer.commit({partition: 10})
        await consumer.commit({partition: 3})

        assert await consumer.committed(partition) == 3


async def test_an_operator_sees_the_metadata(kafka: KafkaCluster, topic: str) -> None:
    """
    A commit's metadata is there for the admin client, from outside the group.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await consumer.commit({partition: (3, "mc1 1700000000.250")})

    assert await committed(kafka.bootstrap_servers, topic) == {partition: (3, "mc1 1700000000.250")}


async def test_metadata_over_4096_bytes_is_refused(kafka: KafkaCluster, topic: str) -> None:
    """
    One byte over Kafka's default limit fails the commit as a whole: its offset is not kept either.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await consumer.commit({partition: 1})
        with pytest.raises(OffsetMetadataTooLargeError):
            await consumer.commit({partition: (2, "x" * 4_097)})

        assert await consumer.committed(partition) == 1


async def has_left(kafka: KafkaCluster, group: str) -> bool:
    """Whether nobody is in the group."""
    return (await describe(kafka.bootstrap_servers, group)).state == "Empty"
