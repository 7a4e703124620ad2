"""
Consumers as this service opens them, and the waiting that their tests share.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from tests.rig.kafka import KafkaCluster
from tests.rig.kafka.waiting import DEADLINE

PATIENCE = 0.8
"""How long something must fail to happen, in seconds, before a test believes that it does not."""

Callback = Callable[[set[TopicPartition]], Awaitable[None]]


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Notes every rebalance of one consumer and runs a test's own callbacks inside it."""

    def __init__(self, *, on_revoked: Callback | None = None, on_assigned: Callback | None = None) -> None:
        self.revocations = 0
        self.assignments = 0
        self._on_revoked = on_revoked
        self._on_assigned = on_assigned

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:  # the first join revokes an empty set
            self.revocations += 1
            if self._on_revoked:
                await self._on_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.assignments += 1
        if self._on_assigned:
            await self._on_assigned(assigned)


class Gate:
    """A callback that stays where it is until the test opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    async def __call__(self, partitions: set[TopicPartition]) -> None:
        self.reached.set()
        async with asyncio.timeout(DEADLINE):  # or a failed test would never come to its end
            await self._opened.wait()

    def open(self) -> None:
        """Let it return, now and from now on."""
        self._opened.set()


@asynccontextmanager
async def joined(
    bootstrap_servers: str, topic: str, group: str, rebalances: Rebalances | None = None, **options: Any
) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of `group` with an assignment, committing by hand and noticing rebalances within 100 ms."""
    chosen = {
        "auto_offset_reset": "earliest",
        # The mock cluster of librdkafka 2.16 holds a group's first join for 3 s and forgets a member whose session is
        # shorter; the member after it waits until the old session has one second left.
        "session_timeout_ms": 4_000,
        "heartbeat_interval_ms": 100,
        "fetch_max_wait_ms": 100,
        **options,
    }
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False, **chosen)
    consumer.subscribe([topic], listener=rebalances)
    try:
        async with asyncio.timeout(DEADLINE):
            await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def joining(bootstrap_servers: str, topic: str, group: str, **options: Any) -> AsyncIterator[None]:
    """One more member on its way into `group`, not waited for; it leaves at the end."""
    leave = asyncio.Event()

    async def member() -> None:
        async with joined(bootstrap_servers, topic, group, **options):
            await leave.wait()

    async with asyncio.TaskGroup() as members:
        members.create_task(member())
        yield
        leave.set()


@asynccontextmanager
async def outage(kafka: KafkaCluster) -> AsyncIterator[None]:
    """No broker can be reached until the context ends; then all is as before."""
    await kafka.stop_broker(1)
    try:
        yield
    finally:
        await kafka.start_broker(1)


async def take(consumer: AIOKafkaConsumer, count: int, *partitions: TopicPartition) -> list[ConsumerRecord]:
    """Poll until `count` records have come, and return exactly those. Raises `TimeoutError`."""
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(DEADLINE):
        while len(records) < count:
            polled = await consumer.getmany(*partitions, timeout_ms=100, max_records=count - len(records))
            records += [record for batch in polled.values() for record in batch]
    return records


async def poll_for(seconds: float, consumer: AIOKafkaConsumer) -> None:
    """Do nothing but poll."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await consumer.getmany(timeout_ms=50)


async def stays_pending(task: asyncio.Task[Any]) -> bool:
    """Whether the task is still not done after `PATIENCE` seconds."""
    done, _ = await asyncio.wait({task}, timeout=PATIENCE)
    return not done
