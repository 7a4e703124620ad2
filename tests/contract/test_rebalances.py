"""
What aiokafka 0.14 does to a consumer while its group rebalances.
"""

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from tests.contract.consumers import Gate, Rebalances, joined, joining, poll_for, stays_pending, take
from tests.rig.kafka import KafkaCluster, NewRecord, describe, publish
from tests.rig.kafka.waiting import DEADLINE, until


async def test_a_kept_partition_comes_back_without_position_and_pause(kafka: KafkaCluster, topic: str) -> None:
    """
    After a rebalance a partition that stays is read again from the commit, and is no longer paused.

    aiokafka 0.14: every assignment starts with new partition states.
    """
    await kafka.create_topic(topic, partitions=2)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"", partition=n % 2) for n in range(10)])
    rebalances = Rebalances()

    async with joined(kafka.bootstrap_servers, topic, topic, rebalances) as consumer:
        await take(consumer, 10)
        await consumer.commit(dict.fromkeys(consumer.assignment(), 2))
        consumer.pause(*consumer.assignment())
        async with joining(kafka.bootstrap_servers, topic, topic):
            await until(lambda: rebalances.assignments == 2)
            (kept,) = consumer.assignment()
            paused = consumer.paused()
            redelivered = await take(consumer, 3)

    assert paused == set()
    assert [(kept.partition, offset) for offset in (2, 3, 4)] == [(each.partition, each.offset) for each in redelivered]


async def test_polling_waits_while_partitions_are_revoked(kafka: KafkaCluster, topic: str) -> None:
    """
    `getmany` delivers nothing while `on_partitions_revoked` runs, and its timeout does not end it either.

    aiokafka 0.14: a poll waits for the next assignment first, outside its timeout. It is no heartbeat for anybody.
    """
    await kafka.create_topic(topic, partitions=2)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"", partition=n % 2) for n in range(10)])
    gate = Gate()

    async with joined(kafka.bootstrap_servers, topic, topic, Rebalances(on_revoked=gate)) as consumer:
        await take(consumer, 1)
        async with joining(kafka.bootstrap_servers, topic, topic):
            await gate.reached.wait()
            poll = asyncio.create_task(consumer.getmany(timeout_ms=50))
            waited = await stays_pending(poll)
            gate.open()
            await poll

    assert waited


async def test_polling_does_not_wait_while_partitions_are_assigned(kafka: KafkaCluster, topic: str) -> None:
    """
    Records are delivered while `on_partitions_assigned` is still at work, so dispatch needs a gate of its own.

    aiokafka 0.14 (its guide says that polling is blocked during both callbacks).
    """
    await kafka.create_topic(topic)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"early")])
    gate = Gate()

    async with joined(kafka.bootstrap_servers, topic, topic, Rebalances(on_assigned=gate)) as consumer:
        await gate.reached.wait()
        (record,) = await take(consumer, 1)
        gate.open()

    assert record.value == b"early"


async def test_a_drain_longer_than_the_rebalance_timeout_costs_the_membership(kafka: KafkaCluster, topic: str) -> None:
    """
    A member that is still draining when the rebalance timeout ends is out of the group, and its commit is refused.

    aiokafka 0.14: the rebalance timeout is the session timeout unless set.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)
    outcome: asyncio.Future[CommitFailedError] = asyncio.get_running_loop().create_future()

    async def drain(_: set[TopicPartition]) -> None:
        await until(successor_is_alone)
        try:
            await consumer.commit({partition: 1})
        except CommitFailedError as error:
            outcome.set_result(error)

    async def successor_is_alone() -> bool:
        group = await describe(kafka.bootstrap_servers, topic)
        return group.state == "Stable" and not group.members & draining

    rebalances = Rebalances(on_revoked=drain)
    async with joined(kafka.bootstrap_servers, topic, topic, rebalances, session_timeout_ms=1_000) as consumer:
        draining = (await describe(kafka.bootstrap_servers, topic)).members
        # The longest rebalance timeout of the members is the group's.
        async with joining(kafka.bootstrap_servers, topic, topic, session_timeout_ms=1_000):
            async with asyncio.timeout(DEADLINE):
                refused = await outcome

    assert "rebalanced" in str(refused)


async def test_a_drain_within_the_rebalance_timeout_may_commit(kafka: KafkaCluster, topic: str) -> None:
    """
    With a rebalance timeout above its drain, a member outlasts its session timeout there and still commits.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)

    async def drain(_: set[TopicPartition]) -> None:
        await asyncio.sleep(1.2)  # beyond the session timeout
        await consumer.commit({partition: 1})

    rebalances = Rebalances(on_revoked=drain)
    timeouts = {"session_timeout_ms": 1_000, "rebalance_timeout_ms": 10_000}
    async with joined(kafka.bootstrap_servers, topic, topic, rebalances, **timeouts) as consumer:
        async with joining(kafka.bootstrap_servers, topic, topic):
            await until(lambda: rebalances.assignments == 2)

        assert await consumer.committed(partition) == 1


@pytest.mark.parametrize("callback", ["on_revoked", "on_assigned"])
async def test_a_failing_listener_stops_nothing(kafka: KafkaCluster, topic: str, callback: str) -> None:
    """
    An exception in a rebalance callback is logged and swallowed: the consumer goes on as if it had succeeded.

    aiokafka 0.14: whoever drains there must count failures for itself.
    """
    await kafka.create_topic(topic, partitions=2)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"", partition=n) for n in range(2)])

    async def fail(_: set[TopicPartition]) -> None:
        raise RuntimeError(callback)

    rebalances = Rebalances(on_revoked=fail) if callback == "on_revoked" else Rebalances(on_assigned=fail)
    async with (
        joined(kafka.bootstrap_servers, topic, topic, rebalances) as consumer,
        joining(kafka.bootstrap_servers, topic, topic),
    ):
        await until(lambda: rebalances.assignments == 2)
        delivered = await take(consumer, 1)

    assert rebalances.revocations >= 1
    assert len(delivered) == 1


async def test_a_spare_member_takes_over_when_it_keeps_polling(kafka: KafkaCluster, topic: str) -> None:
    """
    A member without partitions that polls beyond max_poll_interval still gets one when another member leaves.
    """
    await kafka.create_topic(topic)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"")])

    async with AsyncExitStack() as stack:
        # Round robin goes by member ids, which begin with the client's.
        async with joined(kafka.bootstrap_servers, topic, topic, client_id="a-holder") as holder:
            spare = await stack.enter_async_context(
                joined(kafka.bootstrap_servers, topic, topic, client_id="b-spare", max_poll_interval_ms=300)
            )
            held = holder.assignment()
            await poll_for(4 * 0.3, spare)
            nothing = spare.assignment()
        freed = await take(spare, 1)

    assert held == {TopicPartition(topic, 0)}
    assert nothing == set()
    assert len(freed) == 1
