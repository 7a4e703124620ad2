"""
Fetching the record of a verdict from where it stands, without a group.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.clock import Clock, ends_within
from consumer.kafka import internals
from consumer.kafka.damage import pass_over
from consumer.kafka.reading import Consumer
from consumer.kafka.security import KafkaAccess
from consumer.reviews.review import VerdictAt

log = structlog.get_logger()

RETRY_DELAY = 1.0  # seconds
POLL = 200  # milliseconds
MOST_POLLS = 50  # without an answer, after which it is tried again
STOP_DEADLINE = 2.0  # seconds


@contextlib.asynccontextmanager
async def groupless(access: KafkaAccess, max_batch_bytes: int) -> AsyncIterator[Any]:
    """A consumer without a group, which commits nothing. Waits for a broker at its start."""
    consumer = Consumer(
        max_batch_bytes=max_batch_bytes,
        decide=pass_over,
        **access.options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    access.register(consumer)
    try:
        await consumer.start()
        yield consumer
    finally:
        await ends_within(STOP_DEADLINE, consumer.stop())


@dataclass(slots=True)
class VerdictLookup:
    """Fetches records one after the other."""

    consumer: Any
    topics: tuple[str, ...]
    clock: Clock
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _counts: Mapping[str, int] = field(default_factory=dict)  # partitions, by topic

    async def record(self, at: VerdictAt) -> Any | None:
        """Return the record at a place, or None where none is kept there. Waits for as long as no broker answers."""
        if at.topic not in self.topics:
            return None
        while True:
            try:
                async with self._one:
                    return await self._record(at)
            except KafkaError as error:
                log.warning("verdict.not_fetched", error=type(error).__name__, retry_in=RETRY_DELAY)
            await self.clock.sleep(RETRY_DELAY)

    async def _record(self, at: VerdictAt) -> Any | None:
        partition = TopicPartition(at.topic, at.partition)
        if at.partition >= self._counts.get(at.topic, 0):
            self._counts = await internals.partition_counts(self.consumer, self.topics)
            if at.partition >= self._counts.get(at.topic, 0):
                return None
        self.consumer.assign([partition])
        begins = await self.consumer.beginning_offsets([partition])
        ends = await self.consumer.end_offsets([partition])
        if not begins[partition] <= at.offset < ends[partition]:
            return None
        self.consumer.seek(partition, at.offset)
        for _ in range(MOST_POLLS):
            for records in (await self.consumer.getmany(partition, timeout_ms=POLL, max_records=1)).values():
                return records[0] if records[0].offset == at.offset else None
            if await self.consumer.position(partition) > at.offset:
                return None  # compaction, or what cannot be read
        raise KafkaError("no record came")
