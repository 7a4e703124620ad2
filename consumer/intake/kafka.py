"""
Reading uploads from Kafka and committing what is finished, with aiokafka 0.14.

    poll ──► admit ──► (the service carries it) ──► settle ──► ledger ──► commit, every second and at the end

What aiokafka does shapes this file:
- A cancelled `getmany` is counted as polling for ever, so polling is never cancelled: it ends by itself.
- `getmany` returns nothing while a rebalance is under way, and what it returns is admitted before anything else can
  run. So a batch never belongs to an assignment that is gone.
- After a rebalance every partition is new: it begins at the committed offset, and is not paused.
- Polling a paused partition throws its fetched records away, so the open ones are named to `getmany`. When all are
  paused they are polled all the same: a member that stops polling is expelled.
- `commit` retries for ever, so it runs in a task of its own, one at a time, and is waited for no longer than is useful.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from consumer.clock import Clock, ends_within
from consumer.config import KafkaSettings
from consumer.intake.admission import Admission
from consumer.intake.offsets import PartitionLedger
from consumer.kafka_access import KafkaAccess
from consumer.observability import metrics
from consumer.records import Delivery

log = structlog.get_logger()

POLL_TIMEOUT = 0.2  # seconds: how late a stop or a partition with room again may be noticed
MAX_POLL_RECORDS = 100  # by so many the limits of a partition and of bytes may be exceeded
COMMIT_DEADLINE = 5.0  # seconds that a drain or a stop waits for a commit
STOP_DEADLINE = 2.0  # seconds to leave the group


@dataclass(slots=True, eq=False)
class Assigned:
    """A partition for as long as it is assigned to this replica; assigned again, it is another."""

    partition: TopicPartition
    ledger: PartitionLedger = field(default_factory=PartitionLedger)
    committed: int = -1


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """An admitted delivery. See `intake.Record`."""

    delivery: Delivery
    _assigned: Assigned
    _admission: Admission

    def settle(self) -> None:
        self._assigned.ledger.settle(self.delivery.offset)
        self.release()

    def release(self) -> None:
        self._admission.dismiss(self._assigned, self.delivery.size)


Drain = Callable[[Collection[TopicPartition]], Awaitable[None]]
"""Told which partitions are revoked; returns when their records are settled, released, or not worth waiting for."""


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """The upload topics, as one member of the group."""

    def __init__(
        self, settings: KafkaSettings, admission: Admission, clock: Clock, access: KafkaAccess | None = None
    ) -> None:
        self._settings = settings
        self._access = access or KafkaAccess(settings)
        self._admission = admission
        self._clock = clock
        self._assigned: dict[TopicPartition, Assigned] = {}
        self._reading = True
        self._joined = False
        self._committing: asyncio.Task[None] | None = None
        self._drain: Drain
        self._consumer: AIOKafkaConsumer

    @contextlib.asynccontextmanager
    async def opened(self, drain: Drain) -> AsyncIterator[None]:
        """Be a member of the group until the context ends. `KafkaError` escapes where no broker can be reached."""
        self._drain = drain
        self._consumer = AIOKafkaConsumer(
            **self._access.options,
            group_id=self._settings.group_id,
            enable_auto_commit=False,
            auto_offset_reset=self._settings.auto_offset_reset,
            isolation_level="read_committed",  # an upload whose transaction was aborted did not happen
            session_timeout_ms=round(self._settings.session_timeout * 1000),
            heartbeat_interval_ms=round(self._settings.heartbeat_interval * 1000),
            rebalance_timeout_ms=round(self._settings.rebalance_timeout * 1000),
            max_partition_fetch_bytes=self._settings.max_partition_fetch_bytes,
        )
        self._access.adopt(self._consumer)
        self._consumer.subscribe(self._settings.topics, listener=self)
        try:
            await self._consumer.start()
            committer = asyncio.create_task(self._commit_regularly(), name="committer")
            try:
                yield
            finally:
                committer.cancel()
                await asyncio.wait([committer])
                await self._commit_last()
        finally:
            await self._leave()

    def reasons_not_ready(self) -> list[str]:
        """Say why no uploads are read at the moment; nothing where they are."""
        if not self._reading:
            return ["stopping: finishes what is in flight"]
        return [] if self._joined else [f"kafka: not a member of group {self._settings.group_id} yet"]

    def stop_reading(self) -> None:
        self._reading = False

    async def batches(self) -> AsyncIterator[Sequence[KafkaRecord]]:
        while self._reading:
            readable = self._pause_what_is_full()
            polled = await self._consumer.getmany(
                *readable,
                timeout_ms=round(POLL_TIMEOUT * 1000),
                max_records=max(1, min(MAX_POLL_RECORDS, self._admission.room)),
            )
            received = self._clock.wall()
            if batch := [self._admit(record, received) for records in polled.values() for record in records]:
                yield batch

    def _pause_what_is_full(self) -> list[TopicPartition]:
        """Pause and resume partitions by the room there is, and return those that may be read."""
        assignment, paused = self._consumer.assignment(), self._consumer.paused()
        crowded = self._admission.crowded
        for partition in assignment:
            assigned = self._assigned.get(partition)
            if partition not in paused and (crowded or self._admission.is_full(assigned)):
                self._consumer.pause(partition)
            elif partition in paused and not crowded and self._admission.has_drained(assigned):
                self._consumer.resume(partition)
        paused = self._consumer.paused()
        metrics.PARTITIONS.set(len(assignment))
        metrics.PARTITIONS_PAUSED.set(len(paused))
        return [partition for partition in assignment if partition not in paused]

    def _admit(self, record: ConsumerRecord[Any, Any], received: float) -> KafkaRecord:
        partition = TopicPartition(record.topic, record.partition)
        assigned = self._assigned.get(partition)
        if assigned is None:
            assigned = self._assigned[partition] = Assigned(partition)
        delivery = Delivery(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp / 1000,
            key=record.key,
            value=record.value,
            headers=record.headers,
            received=received,
        )
        assigned.ledger.open(record.offset)
        self._admission.admit(assigned, delivery.size)
        return KafkaRecord(delivery, assigned, self._admission)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._joined = True
        log.info("partitions.assigned", partitions=_named(assigned))

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for what is in flight, commit it, and forget the assignment. aiokafka swallows what is raised here."""
        self._joined = False
        if not revoked:
            return
        log.info("partitions.revoked", partitions=_named(revoked))
        began = self._clock.now()
        try:
            await self._drain(revoked)
            await self._commit_last()
        except Exception:
            log.exception("partitions.drain_failed")
        left_open = sum(len(assigned.ledger) for assigned in self._assigned.values())
        self._assigned.clear()  # aiokafka's protocol is eager: every partition was revoked
        log.info("partitions.drained", seconds=round(self._clock.now() - began, 3), left_open=left_open)

    async def _commit_regularly(self) -> None:
        while True:
            await self._clock.sleep(self._settings.commit_interval)
            await self._commit()

    async def _commit_last(self) -> None:
        """Wait for the commit under way and make one more, unless the first does not end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COMMIT_DEADLINE):
                await self._commit()  # joins the one under way
                await self._commit()

    async def _commit(self) -> None:
        """Commit every watermark that has moved, or join the commit under way. Never two at once."""
        if self._committing is None:
            moved = {
                assigned: watermark
                for assigned in self._assigned.values()
                if (watermark := assigned.ledger.watermark) is not None and watermark > assigned.committed
            }
            if not moved:
                return
            self._committing = asyncio.create_task(self._send_commit(moved), name="commit")
        await asyncio.shield(self._committing)

    async def _send_commit(self, moved: dict[Assigned, int]) -> None:
        try:
            await self._consumer.commit({assigned.partition: offset for assigned, offset in moved.items()})
        except (KafkaError, ConsumerStoppedError) as error:
            # What is lost by it is read again: the next assignment begins at what was committed before.
            metrics.COMMIT_FAILURES.inc()
            log.warning("commit.failed", error=type(error).__name__)
        except Exception:
            metrics.COMMIT_FAILURES.inc()
            log.exception("commit.met_a_bug")  # the next second's commit must be tried all the same
        else:
            for assigned, offset in moved.items():
                assigned.committed = offset
        finally:
            self._committing = None

    async def _leave(self) -> None:
        """Leave the group, but not for ever: with the brokers away aiokafka's commit and stop may not end."""
        if self._committing is not None:
            self._committing.cancel()
        if not await ends_within(STOP_DEADLINE, self._consumer.stop()):
            log.warning("group.not_left", seconds=STOP_DEADLINE)


def _named(partitions: Collection[TopicPartition]) -> list[str]:
    return sorted(f"{partition.topic}/{partition.partition}" for partition in partitions)
