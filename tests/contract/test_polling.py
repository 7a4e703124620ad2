"""
What polling means to aiokafka 0.14: membership, and a buffer that a poll may throw away.
"""

import asyncio

from aiokafka import TopicPartition

from tests.contract.consumers import Rebalances, joined, poll_for, take
from tests.rig.kafka import KafkaCluster, NewRecord, describe, publish
from tests.rig.kafka.waiting import until

INTERVAL = 300  # milliseconds
FOUR_INTERVALS = 1.2


async def test_a_member_that_does_not_poll_leaves(kafka: KafkaCluster, topic: str) -> None:
    """
    After max_poll_interval without a poll the client leaves the group of its own accord.
    """
    await kafka.create_topic(topic)

    async def is_empty() -> bool:
        return (await describe(kafka.bootstrap_servers, topic)).state == "Empty"

    async with joined(kafka.bootstrap_servers, topic, topic, max_poll_interval_ms=INTERVAL):
        await until(is_empty)


async def test_polling_keeps_a_wholly_paused_member(kafka: KafkaCluster, topic: str) -> None:
    """
    A member with every partition paused stays far beyond max_poll_interval, as long as it polls.
    """
    await kafka.create_topic(topic)
    rebalances = Rebalances()

    async with joined(kafka.bootstrap_servers, topic, topic, rebalances, max_poll_interval_ms=INTERVAL) as consumer:
        members = (await describe(kafka.bootstrap_servers, topic)).members
        consumer.pause(*consumer.assignment())
        await poll_for(FOUR_INTERVALS, consumer)
        group = await describe(kafka.bootstrap_servers, topic)

    assert (group.state, group.members) == ("Stable", members)
    assert rebalances.revocations == 0


async def test_a_cancelled_poll_disables_the_poll_interval(kafka: KafkaCluster, topic: str) -> None:
    """
    After one cancelled `getmany` a consumer that stopped polling is a member for ever, so a poll is never cancelled.

    aiokafka 0.14: the count of polls in progress is not brought down by an exception.
    """
    await kafka.create_topic(topic)

    async with joined(kafka.bootstrap_servers, topic, topic, max_poll_interval_ms=INTERVAL) as consumer:
        poll = asyncio.create_task(consumer.getmany(timeout_ms=60_000))
        await asyncio.wait({poll}, timeout=0.1)
        poll.cancel()
        await asyncio.wait({poll})
        await asyncio.sleep(FOUR_INTERVALS)
        group = await describe(kafka.bootstrap_servers, topic)

    assert poll.cancelled()
    assert (group.state, len(group.members)) == ("Stable", 1)


async def test_polling_a_paused_partition_discards_what_was_fetched(kafka: KafkaCluster, topic: str) -> None:
    """
    A poll while paused throws the partition's buffer away; once resumed, the records are fetched a second time.

    aiokafka 0.14: nothing is lost, but pausing and resuming often means fetching everything twice.
    """
    partition = await filled(kafka, topic, partitions=1)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await until(lambda: consumer.highwater(partition) == 10)
        consumer.pause(partition)
        await consumer.getmany(timeout_ms=0)
        consumer.resume(partition)
        at_once = await consumer.getmany(timeout_ms=0)
        later = await take(consumer, 10)

    assert at_once == {}
    assert [record.offset for record in later] == list(range(10))


async def test_polling_other_partitions_keeps_what_was_fetched(kafka: KafkaCluster, topic: str) -> None:
    """
    A poll that names other partitions leaves a paused one's buffer alone: it is there at once when resumed.
    """
    partition = await filled(kafka, topic, partitions=2)
    other = TopicPartition(topic, 1)

    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await until(lambda: consumer.highwater(partition) == 10)
        consumer.pause(partition)
        await consumer.getmany(other, timeout_ms=0)
        consumer.resume(partition)
        at_once = await consumer.getmany(partition, timeout_ms=0)

    assert [record.offset for record in at_once[partition]] == list(range(10))


async def filled(kafka: KafkaCluster, topic: str, partitions: int) -> TopicPartition:
    """A topic whose partition 0, which is returned, has ten records."""
    await kafka.create_topic(topic, partitions=partitions)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"", partition=0) for _ in range(10)])
    return TopicPartition(topic, 0)
