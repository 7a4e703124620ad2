"""
What is looked at while a run goes on: outcomes so far, committed offsets, memory. All of it from outside.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumer.journal.headers import OF_PROVISIONAL
from tests.rig.kafka import Group, describe
from tests.rig.kafka.admin import admin_client

POLL = 0.05  # seconds
_PATIENCE = 5.0  # seconds that one look at Kafka may take
_PAGE = os.sysconf("SC_PAGE_SIZE")
Sample = TypeVar("Sample")


class Watch:
    """Looks at the topics and the group of one run. What Kafka cannot tell at the moment is None."""

    def __init__(
        self,
        bootstrap_servers: str,
        admin: Any,
        consumer: Any,
        uploads: str,
        outputs: Mapping[str, str],
        group: str,
        partitions: int,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._admin = admin
        self._consumer = consumer
        self._group = group
        self._provisional = ProvisionalVerdicts(consumer)
        self._uploads = [TopicPartition(uploads, number) for number in range(partitions)]
        self._outputs = [TopicPartition(topic, number) for topic in outputs.values() for number in range(partitions)]
        self._review = outputs["review"]

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, bootstrap_servers: str, *, uploads: str, outputs: Mapping[str, str], group: str, partitions: int
    ) -> AsyncIterator["Watch"]:
        """Hold the connections until the context ends. `outputs` are topics by outcome."""
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, request_timeout_ms=5_000)
        async with admin_client(bootstrap_servers) as admin, consumer:
            yield cls(bootstrap_servers, admin, consumer, uploads, outputs, group, partitions)

    async def outcomes(self) -> int | None:
        """Return how many outcomes are in the output topics; provisional verdicts are none."""
        count: int | None = await _patiently(self._outcomes())
        return count

    async def _outcomes(self) -> int:
        ends = await self._consumer.end_offsets(self._outputs)
        reviews = {partition: end for partition, end in ends.items() if partition.topic == self._review}
        count: int = sum(ends.values()) - await self._provisional.before(reviews)
        return count

    async def uploaded(self) -> dict[int, int] | None:
        """Return where each partition of the uploads ends."""
        ends = await _patiently(self._consumer.end_offsets(self._uploads))
        return None if ends is None else {partition.partition: end for partition, end in ends.items()}

    async def committed(self) -> dict[int, int] | None:
        """Return the group's committed offsets."""
        offsets = await _patiently(self._admin.list_consumer_group_offsets(self._group))
        if offsets is None:
            return None
        return {each.partition: state.offset for each, state in offsets.items() if state.offset >= 0}

    async def lag(self) -> int | None:
        """Return how many records are not behind the committed offsets."""
        ends, committed = await self.uploaded(), await self.committed()
        if ends is None or committed is None:
            return None
        return sum(end - committed.get(partition, 0) for partition, end in ends.items())

    async def until_outcomes(self, count: int, timeout: float) -> None:
        """Return once the output topics hold `count` outcomes. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while (await self.outcomes() or 0) < count:
                await asyncio.sleep(POLL)

    async def until_members(self, count: int, timeout: float) -> None:
        """Return once the group has so many members and each has its partitions. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while (group := await self.group()) is None or group.state != "Stable" or len(group.members) != count:
                await asyncio.sleep(POLL)

    async def group(self) -> Group | None:
        """Return the group as its coordinator sees it."""
        described: Group | None = await _patiently(describe(self._bootstrap_servers, self._group))
        return described

    async def until_no_lag(self, timeout: float) -> bool:
        """Return whether every upload came to be behind the committed offsets in time."""
        try:
            async with asyncio.timeout(timeout):
                while await self.lag() != 0:
                    await asyncio.sleep(4 * POLL)
        except TimeoutError:
            return False
        return True


class ProvisionalVerdicts:
    """Counts them as they come: their headers alone tell them from outcomes, so that the topics are read for it."""

    def __init__(self, consumer: Any) -> None:
        """`consumer` is a client that nobody else reads with; it is given its partitions here."""
        self._consumer = consumer
        self._count = 0
        self._turn = asyncio.Lock()

    async def before(self, ends: Mapping[TopicPartition, int]) -> int:
        """
        Return how many are before these ends, and just behind them; the partitions are the same each time.

        What is counted too early makes outcomes seem fewer for a moment, never more.
        """
        async with self._turn:
            if not self._consumer.assignment():
                self._consumer.assign(list(ends))
                await self._consumer.seek_to_beginning(*ends)
            while not await self._has_read(ends):
                for records in (await self._consumer.getmany(timeout_ms=200)).values():
                    self._count += sum(_is_provisional(record.headers) for record in records)
            return self._count

    async def _has_read(self, ends: Mapping[TopicPartition, int]) -> bool:
        return all([await self._consumer.position(partition) >= end for partition, end in ends.items()])


def _is_provisional(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    return any(name == OF_PROVISIONAL.offset for name, _ in headers)


async def _patiently(question: Awaitable[Any]) -> Any:
    """Return the answer, or None where Kafka has none for now."""
    try:
        return await asyncio.wait_for(question, _PATIENCE)
    except (KafkaError, TimeoutError):
        return None


@asynccontextmanager
async def sampled(look: Callable[[], Awaitable[Sample | None]], interval: float) -> AsyncIterator[list[Sample]]:
    """Look again and again while the context lasts, and yield the list that the samples are added to."""
    samples: list[Sample] = []

    async def go_on() -> None:
        while True:
            if (sample := await look()) is not None:
                samples.append(sample)
            await asyncio.sleep(interval)

    task = asyncio.create_task(go_on(), name="sampler")
    try:
        yield samples
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is in RAM. Linux."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def seconds(self) -> float:
        """Return how long ago that is."""
        return time.monotonic() - self._began
