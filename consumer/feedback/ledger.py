"""
The ledger in Kafka: written line by line, and followed from its beginning by whoever owns a partition of it.

The group gives each partition to one replica and stores no offsets: who gets a partition reads all of it, so what was
sent before is known before anything is sent.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from consumer.clock import Clock
from consumer.config.kafka import KafkaSettings
from consumer.feedback import Line, Place, Vote
from consumer.feedback.lines import Unread, encoded, is_believed, read, sealed
from consumer.feedback.quorum import Agreed, Quorum
from consumer.feedback.sending import Pace, Sending
from consumer.feedback.votes import Decision, vote_of
from consumer.journal.signatures import Keyring
from consumer.kafka.producing import Refused
from consumer.kafka.reading import Consumer
from consumer.kafka.security import KafkaAccess
from consumer.kafka.unreadable import Damage, Skip, UnreadableRecord
from consumer.observability import metrics
from consumer.records import Delivery
from consumer.verdicts.encode import Encoded
from consumer.verdicts.producers import Producers

log = structlog.get_logger()

MAX_BATCH_BYTES: Final = 16_777_216
RETRY_DELAY: Final = 1.0
POLL: Final = 0.5
LAST_LINES: Final = 5.0
"""Seconds; the last for what is being sent at a stop, which would else be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTopic:
    """Which topic it is, and who writes what is believed."""

    topic: str
    group: str  # the service's
    keyring: Keyring = field(repr=False)

    def written(self, line: Line) -> Encoded:
        """Make the record of a line."""
        return sealed(encoded(line), self.group, self.topic, self.keyring)

    def line_in(self, record: Any) -> Line | None:
        """Read a record; None where it is no line, or nobody's whom this service believes. Both are counted."""
        if isinstance(record, UnreadableRecord):
            metrics.FEEDBACK.labels("unreadable").inc()
            return None
        found = Encoded(record.key, record.value, list(record.headers))
        if not is_believed(found, self.group, self.topic, self.keyring):
            metrics.FEEDBACK.labels("not_believed").inc()
            return None
        try:
            return read(record.value)
        except Unread:
            metrics.FEEDBACK.labels("unreadable").inc()
            return None


@dataclass(slots=True, kw_only=True)
class LedgerWriter:
    """Writes lines. It is a `Ledger`, and what people's decisions are told to."""

    ledger: LedgerTopic
    producers: Producers
    clock: Clock
    _not_written: str = ""  # the error for which no line can be written

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, ledger: LedgerTopic, access: KafkaAccess, clock: Clock) -> AsyncIterator["LedgerWriter"]:
        """Hold a producer until the context ends. Waits for a broker."""
        producers = Producers(access, 40.0, clock)
        try:
            await access.wait_until_connected(clock)
            await producers.open()
            yield cls(ledger=ledger, producers=producers, clock=clock)
        finally:
            await producers.close()

    async def write(self, line: Line) -> None:
        """Write a line until it is acknowledged. One that is written twice is one line to all who read."""
        record = self.ledger.written(line)
        while True:
            try:
                await self.producers.send(self.ledger.topic, record, alone=False)
            except (Refused, KafkaError) as error:
                self._not_written = type(error).__name__
                log.warning("feedback.ledger_not_written", topic=self.ledger.topic, error=self._not_written)
                await self.clock.sleep(RETRY_DELAY)
            else:
                self._not_written = ""
                return

    def degraded(self) -> list[str]:
        """Why decisions wait whose votes are to be written."""
        if not self._not_written:
            return []
        topic, error = self.ledger.topic, self._not_written
        return [f"people: the ledger of feedback, {topic}, cannot be written ({error}): decisions wait"]

    async def vote(self, decision: Decision, verdict: Any, delivery: Delivery) -> None:
        """Write the vote of a decision that was taken; return once it needs no repetition."""
        place = Place(delivery.topic, delivery.partition, delivery.offset)
        await self.write(vote_of(decision, place, verdict))


@dataclass(slots=True)
class _Partition:
    """One that is owned: its votes, and up to where it must be read before anything of it is sent."""

    quorum: Quorum
    end: int | None = None  # None until a broker has said it
    is_read: bool = False


class Follower(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the partitions that the group gives, and has sent what reviewers agree on."""

    def __init__(
        self,
        ledger: LedgerTopic,
        settings: KafkaSettings,
        access: KafkaAccess,
        sending: Sending,
        quorum: Callable[[], Quorum],
        calls_a_second: float,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._access = access
        self._sending = sending
        self._new_quorum = quorum
        self._calls = calls_a_second
        self._partitions: dict[int, _Partition] = {}
        self._consumer: Any = None
        self._is_busy = False
        self._under_way: asyncio.Task[None] | None = None  # what sends, and writes down what was sent
        self.not_read = ""
        """The error for which the ledger cannot be read."""

    async def run(self) -> None:
        """Follow the ledger until this is cancelled. `KafkaError` escapes if no broker answers at the start."""
        self._consumer = self._access.register(
            Consumer(
                max_batch_bytes=MAX_BATCH_BYTES,
                decide=_deliver,
                **self._access.options,
                group_id=f"{self._ledger.group}.feedback-ledger",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                session_timeout_ms=round(self._settings.session_timeout * 1000),
                heartbeat_interval_ms=round(self._settings.heartbeat_interval * 1000),
            )
        )
        self._consumer.subscribe([self._ledger.topic], listener=self)
        try:
            await self._consumer.start()
            while True:
                await self._turn()
        finally:
            try:
                await self._until_written(LAST_LINES)
                if self._under_way is not None and self._under_way.cancel():
                    await asyncio.wait([self._under_way])
            finally:  # though this is cancelled once more
                await self._consumer.stop()

    async def _turn(self) -> None:
        try:
            polled = await self._consumer.getmany(timeout_ms=0 if self._is_busy else round(POLL * 1000))
            await self._look_for_ends()
        except KafkaError as error:
            self.not_read = type(error).__name__
            log.warning("feedback.ledger_not_read", topic=self._ledger.topic, error=self.not_read)
            await self._sending.clock.sleep(RETRY_DELAY)
            return
        self.not_read = ""
        for partition, records in polled.items():
            if (owned := self._partitions.get(partition.partition)) is not None:
                self._take(owned, records)
        await self._look_whether_read()
        self._under_way = asyncio.create_task(self._send(), name="telling the provider")
        await asyncio.shield(self._under_way)

    async def _send(self) -> None:
        written = await self._sending.send(self._due())
        self._is_busy = bool(written)
        for line in written:
            for owned in self._partitions.values():  # its own record comes later, and changes nothing then
                if owned.quorum.agreed(line.about):
                    owned.quorum.take(line)

    def _take(self, owned: _Partition, records: Collection[ConsumerRecord]) -> None:
        before = owned.quorum.forgotten
        for record in records:
            if (line := self._ledger.line_in(record)) is None:
                continue
            if isinstance(line, Vote) and owned.is_read and owned.quorum.contradicts(line):
                metrics.FEEDBACK.labels("contradicted").inc()
                log.warning("feedback.contradicted", **line.about._asdict())
            owned.quorum.take(line)
        metrics.FEEDBACK.labels("forgotten").inc(owned.quorum.forgotten - before)

    async def _look_for_ends(self) -> None:
        """Ask up to where partitions must be read that were given just now."""
        new = [number for number, owned in self._partitions.items() if owned.end is None]
        if new:
            ends = await self._consumer.end_offsets([TopicPartition(self._ledger.topic, each) for each in new])
            for partition, end in ends.items():
                if (owned := self._partitions.get(partition.partition)) is not None:
                    owned.end = end

    async def _look_whether_read(self) -> None:
        for number, owned in list(self._partitions.items()):
            if owned.end is None or owned.is_read:
                continue
            with contextlib.suppress(KafkaError):  # it is no longer ours
                owned.is_read = await self._consumer.position(TopicPartition(self._ledger.topic, number)) >= owned.end

    def _due(self) -> list[tuple[Agreed, str]]:
        return [
            (agreed, owned.quorum.noted(agreed.about))
            for owned in self._partitions.values()
            if owned.is_read
            for agreed in owned.quorum.due()
        ]

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._partitions = {each.partition: _Partition(self._new_quorum()) for each in assigned}
        among = len(self._consumer.partitions_for_topic(self._ledger.topic) or assigned) or 1
        self._sending.pace = Pace(self._calls * max(1, len(assigned)) / among)
        log.info("feedback.ledger_assigned", partitions=sorted(self._partitions))

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for the lines of what is being sent: who gets these partitions would send it again without them."""
        await self._until_written(self._settings.session_timeout / 2)
        self._partitions = {}

    async def _until_written(self, patience: float) -> None:
        if self._under_way is not None:
            await asyncio.wait([self._under_way], timeout=patience)


def _deliver(damage: Damage) -> Skip:
    return Skip(damage.next_offset or damage.offset + 1, deliver=True)
