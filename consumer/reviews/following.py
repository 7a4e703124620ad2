"""
Keeping the memory of people's decisions true: the topic is read at the start, and followed from there on.

It also knows up to when all decisions are taken: a machine's verdict is compared with the memory only once every
decision that was there when the verdict was read is in it, whichever replica took that.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer import background
from consumer.clock import Clock
from consumer.config.reviews import ReviewSettings
from consumer.dispatch.waits import Changes
from consumer.journal.signatures import Keyring
from consumer.kafka import internals
from consumer.kafka.admin import admin_client
from consumer.kafka.security import KafkaAccess
from consumer.observability import review_metrics
from consumer.reviews.floors import Floors
from consumer.reviews.memory import Memory, read
from consumer.reviews.writing import SEAL, is_genuine

log = structlog.get_logger()

RETRY_DELAY = 1.0  # seconds
POLL = 200  # milliseconds
MOST_RECORDS = 1_000


@dataclass(slots=True, kw_only=True)
class Following:
    """Reads the topic of what people decided into the memory."""

    consumer: Any
    access: KafkaAccess
    settings: ReviewSettings
    memory: Memory
    floors: Floors
    keyring: Keyring
    clock: Clock
    _is_missing: bool = False  # the topic of what people decided
    _not_read: str = ""  # the error for which it, or the group's offsets, cannot be read
    _taken_until: float = 0.0  # unix seconds: all decisions that were there then are in the memory
    _moved: Changes = field(default_factory=Changes)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Read all of it, and follow it until the context ends. Waits for a broker."""
        await self._assign()
        while not await self._is_read():
            await self.clock.sleep(RETRY_DELAY)
        log.info("people.remembered", decisions=len(self.memory), mib=round(self.memory.size / (1 << 20), 1))
        async with background.running(self._follow(), "following people's decisions"):
            yield

    def reasons_not_ready(self) -> list[str]:
        """Why no decision is taken."""
        if not self._is_missing:
            return []
        return [f"people: there is no topic {self.settings.people}, or this user may not see it: no decision is taken"]

    def degraded(self) -> list[str]:
        """Why verdicts of machines wait to be compared with what people decided."""
        if not self._not_read:
            return []
        return [
            f"people: {self.settings.people}, or the offsets of group {self.settings.group_id}, cannot be read "
            f"({self._not_read}): decisions are taken, and verdicts of machines wait to be compared with them"
        ]

    async def taken(self, moment: float) -> None:
        """Return once all decisions that were there at a moment (unix seconds) are in the memory."""
        while self._taken_until < moment:
            await self._moved.wait()

    async def _assign(self) -> None:
        while True:
            with contextlib.suppress(KafkaError):
                counts = await internals.partition_counts(self.consumer, [self.settings.people])
                if number := counts.get(self.settings.people):
                    partitions = [TopicPartition(self.settings.people, each) for each in range(number)]
                    self.consumer.assign(partitions)
                    await self.consumer.seek_to_beginning(*partitions)
                    self._is_missing = False
                    return
                self._is_missing = True
            log.error("people.no_topic", topic=self.settings.people, retry_in=RETRY_DELAY)
            await self.clock.sleep(RETRY_DELAY)

    async def _follow(self) -> None:
        while True:
            began = self.clock.wall()
            try:
                if await self._all_are_taken() and await self._is_read():
                    self._taken_until = began
                    self._not_read = ""
                    self._moved.notify()
            except KafkaError as error:
                self._not_read = type(error).__name__
                log.warning("people.not_followed", error=type(error).__name__, retry_in=RETRY_DELAY)
            except Exception as error:
                self._not_read = type(error).__name__
                log.exception("people.not_followed", error=self._not_read, retry_in=RETRY_DELAY)
            await self.clock.sleep(RETRY_DELAY)

    async def _all_are_taken(self) -> bool:
        """Whether the group has committed every decision that is there now."""
        counts = await internals.partition_counts(self.consumer, [self.settings.topic])
        partitions = [TopicPartition(self.settings.topic, each) for each in range(counts.get(self.settings.topic, 0))]
        begins: Mapping[TopicPartition, int] = await self.consumer.beginning_offsets(partitions)
        ends: Mapping[TopicPartition, int] = await self.consumer.end_offsets(partitions)
        filled = [each for each in partitions if begins[each] < ends[each]]
        if not filled:
            return bool(partitions)
        async with admin_client(self.access) as admin:
            committed = await admin.list_consumer_group_offsets(self.settings.group_id, partitions=filled)
        return all(each in committed and committed[each].offset >= ends[each] for each in filled)

    async def _is_read(self) -> bool:
        """Read on to where the topic ends now; say whether that worked."""
        try:
            partitions = list(self.consumer.assignment())
            ends: dict[TopicPartition, int] = await self.consumer.end_offsets(partitions)
            while behind := [each for each in partitions if await self.consumer.position(each) < ends[each]]:
                self._take_all(await self.consumer.getmany(*behind, timeout_ms=POLL, max_records=MOST_RECORDS))
        except KafkaError as error:
            self._not_read = type(error).__name__
            log.warning("people.not_read", error=type(error).__name__, retry_in=RETRY_DELAY)
            return False
        return True

    def _take_all(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Take records in; after an error all are read again, which changes nothing of those that were taken."""
        try:
            for records in polled.values():
                for record in records:
                    self._take(record)
        except Exception:
            for partition, records in polled.items():
                self.consumer.seek(partition, records[0].offset)
            raise

    def _take(self, record: Any) -> None:
        if record.key is None:
            return
        if record.value is None:
            self.memory.forget(record.key)
            return
        seal = dict(record.headers).get(SEAL)
        if not is_genuine(self.settings.group_id, self.settings.people, record.key, record.value, seal, self.keyring):
            review_metrics.REVIEWS_NOT_BELIEVED.labels(self.settings.people).inc()
            return
        if self.floors.read(record.value):
            return
        if (found := read(record.value)) is None:
            review_metrics.REVIEWS_NOT_BELIEVED.labels(self.settings.people).inc()
            return
        self.memory.note(record.key, found, self.clock.wall())
