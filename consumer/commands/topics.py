"""
Reading topics from a moment to where they ended when the command began. Nothing is committed.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import TopicPartition

from consumer.commands.clients import reader
from consumer.config.kafka import KafkaSettings
from consumer.kafka import internals
from consumer.kafka.security import KafkaAccess
from consumer.kafka.windows import Window, seek, window_of
from consumer.records import SourceId

POLL_TIMEOUT = 0.2  # seconds
MOST_RECORDS = 1_000  # of one poll
EMPTY_POLLS = 5  # after which it is asked again where the topics end
CLOCK_SKEW = 60.0  # seconds by which this machine's clock and the brokers' may differ


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics whose records have a name of their own in a header."""

    settings: KafkaSettings
    access: KafkaAccess
    topics: Sequence[str]
    header: str
    isolation: Literal["read_uncommitted", "read_committed"] = "read_uncommitted"

    @classmethod
    def of_verdicts(cls, settings: KafkaSettings, access: KafkaAccess) -> "Topics":
        """The outputs, but for dead letters."""
        return cls(settings, access, tuple(settings.outputs.by_decision.values()), "ce_id")

    async def window(self, since: float) -> Window:
        """What was published from a moment (unix seconds) on. `KafkaError` escapes."""
        async with self._consumer() as consumer:
            return await window_of(consumer, since)

    async def beginnings(self) -> Mapping[TopicPartition, int]:
        """The lowest offset that is kept, by partition. `KafkaError` escapes."""
        async with self._consumer() as consumer:
            found: Mapping[TopicPartition, int] = await consumer.beginning_offsets(sorted(consumer.assignment()))
        return found

    async def read(self, window: Window) -> AsyncGenerator[Sequence[Any]]:
        """Yield the records of a window, as aiokafka has them, many at once. `KafkaError` escapes."""
        if not window.starts:
            return
        async with self._consumer() as consumer:
            seek(consumer, window)
            ends, empty = dict(window.ends), 0
            while ends:
                polled = await consumer.getmany(*ends, timeout_ms=round(POLL_TIMEOUT * 1000), max_records=MOST_RECORDS)
                yield [record for each, records in polled.items() for record in records if record.offset < ends[each]]
                empty = 0 if polled else empty + 1
                if empty % EMPTY_POLLS == EMPTY_POLLS - 1:  # a topic that was made again may never be as long
                    now = await consumer.end_offsets(list(ends))
                    ends = {each: min(end, now[each]) for each, end in ends.items()}
                # Not the last record but the position shows the end: compaction and markers leave gaps.
                at = {each: internals.position(consumer, each) for each in ends}
                ends = {each: end for each, end in ends.items() if (place := at[each]) is None or place < end}

    async def find(self, wanted: Collection[SourceId], since: float) -> Collection[SourceId]:
        """Which of these records stand there, published since a moment (unix seconds). `KafkaError` escapes."""
        names = {each.encode(): each for each in wanted}
        return {names[each] async for each in self.names(since - CLOCK_SKEW) if each in names}

    async def names(self, since: float) -> AsyncGenerator[bytes]:
        """Yield the names of the records since a moment (unix seconds). `KafkaError` escapes."""
        async for records in self.read(await self.window(since)):
            for record in records:
                if (name := dict(record.headers).get(self.header)) is not None:
                    yield name

    def _consumer(self) -> Any:
        return reader(
            self.access,
            *self.topics,
            max_batch_bytes=self.settings.max_batch_bytes,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            isolation_level=self.isolation,
        )
