"""
Reading uploads from Kafka and committing what is finished, with aiokafka 0.14.

    assigned ──► take over: read the journal, commit ──► poll ──► admit ──► (the service carries it) ──► settle
                                                                                                          │
    revoked ◄── commit ◄── drain                         commit the ledger's watermark, every second ◄────┘

What aiokafka does shapes this file:
- `getmany` ignores its timeout while the group divides its partitions, which takes as long as brokers are away; that is
  no reason to restart, so the poll loop's heartbeat rests then, and the commit loop's while no coordinator is known.
- A cancelled `getmany` is counted as polling for ever, so polling is cancelled by nothing but the end.
- `getmany` returns nothing while partitions are being revoked, and what it returns is admitted before anything else can
  run. So a batch never belongs to an assignment that is gone. But it does return records of an assignment that has not
  been taken over yet: they wait in `AssignedPartition.early`.
- After a rebalance every partition is new: it begins at the committed offset, and is not paused.
- Polling a paused partition throws its fetched records away, so the open ones are named to `getmany`. When all are
  paused they are polled all the same: a member that stops polling is expelled.
- No heartbeat is sent before `on_partitions_assigned` returns, so taking over is a task of its own.

Partitions are assigned by range: every replica then has the same part of each topic, and so of each lane, which is
what lets an idle lane lend to a busy one. Round robin, aiokafka's default, moves 75 % of the partitions when a replica
joins, range about 40 %; sticky moves 25 %, but may give one replica all of one lane and another all of the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from consumer import background
from consumer.clock import Clock, ends_within
from consumer.config.kafka import KafkaSettings
from consumer.intake import Lease, Reading
from consumer.intake.committer import Commit, Committer
from consumer.intake.foreign_commits import ForeignCommits
from consumer.intake.member import Member, named
from consumer.intake.ownership import Owner
from consumer.intake.partitions import KafkaRecord, Partitions
from consumer.intake.readback import ReadBack
from consumer.intake.stuck import StuckPartitions
from consumer.intake.takeover import TakeOver
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.commits import Commits
from consumer.kafka import internals
from consumer.kafka.damage import DamagedUploads
from consumer.kafka.reading import Consumer
from consumer.kafka.security import KafkaAccess
from consumer.observability import metrics
from consumer.observability.heartbeat import Heartbeat
from consumer.records import Partition

log = structlog.get_logger()

POLL_TIMEOUT = 0.2  # seconds: how late it may be noticed that a partition may be read again
SHORT_POLL_TIMEOUT = 0.05  # likewise while none may be read
IDLE_POLL_TIMEOUT = 0.5  # while all may be read and nothing is held: the first record ends the poll
MAX_POLL_RECORDS = 100  # by so many the limits of a partition and of bytes may be exceeded
STOP_DEADLINE = 2.0  # seconds to leave the group
METADATA_MAX_AGE = 5.0  # seconds after which new partitions and topics are looked for


Drain = Callable[[Collection[Partition]], Awaitable[None]]
"""Told which partitions are revoked; returns when what is in flight of them is published, or not worth waiting for."""


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """The upload topics, as one member of the group."""

    def __init__(
        self,
        settings: KafkaSettings,
        access: KafkaAccess,
        partitions: Partitions,
        read_back: ReadBack,
        lease: Lease,
        commits: Commits,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._access = access
        self._partitions = partitions
        self._ownership = partitions.ownership
        self._read_back = read_back
        self._lease = lease
        self._clock = clock
        self._member = Member(settings, commits, read_back.find_bases, clock)
        self._committer = Committer(self._due, self._send, self._proved, settings.commit_interval, clock)
        self._foreign = ForeignCommits(settings, partitions, read_back.outputs, read_back.limits.max_outcomes, clock)
        self._take_over = TakeOver(partitions, self._member, read_back, self._committer, self._foreign, lease, clock)
        self._stuck = StuckPartitions(partitions, clock)
        self._damaged = DamagedUploads(settings.skip_damaged, clock)
        self._polling = Heartbeat("the poll loop", clock)
        self._reading = True
        self._drain: Drain
        self._consumer: Consumer
        metrics.OLDEST_OPEN_SECONDS.set_function(partitions.oldest_open)

    @contextlib.asynccontextmanager
    async def opened(self, drain: Drain) -> AsyncIterator[None]:
        """Be a member of the group until the context ends. `KafkaError` escapes where no broker can be reached."""
        self._drain = drain
        self._consumer = self._member.consumer = self._access.register(self._client())
        internals.create_no_topics(self._consumer)
        self._consumer.subscribe(self._settings.topics, listener=self)
        try:
            await self._consumer.start()
            try:
                async with background.running(self._committer.run(), "committer"):
                    try:
                        yield
                    finally:
                        self._lease.revoked()
                        await self._take_over.stop()
            finally:
                await self._committer.last()
        finally:
            await self._leave()

    def reasons_not_ready(self) -> list[str]:
        """Say why no uploads are read at the moment; nothing where they are."""
        if not self._reading:
            return ["stopping: finishes what is in flight"]
        if not self._ownership.is_member:
            return [f"kafka: not a member of group {self._settings.group_id} yet"]
        # Who has lost all brokers and found them again knows no topic for a moment; then the brokers are the reason.
        missing = [] if self._access.reasons_not_ready() else self._member.missing_topics()
        reasons = [f"kafka: input topic {topic} does not exist, or this user may not see it" for topic in missing]
        if self._partitions and not self._ownership.owns_any:
            reasons += self._why_not_owned()
        return reasons

    def degraded(self) -> list[str]:
        """Say which partitions wait for something, while others are read."""
        not_owned = self._why_not_owned() if self._ownership.owns_any else []
        return [*self._damaged.reasons(), *not_owned, *self._read_back.degraded(), *self._stuck.degraded()]

    def complaints(self) -> list[str]:
        """Say which loop hangs, unless it waits for another system."""
        return self._polling.complaints() + self._committer.heartbeat.complaints()

    def stop_reading(self) -> None:
        self._reading = False

    def readings(self, most_open: int) -> list[Reading]:
        """How far each partition is read, with at most so many of its open records."""
        due = {partition: CommitMetadata.read(metadata) for partition, (_, metadata) in self._due().items()}
        return [
            Reading(
                partition=each.partition,
                committed=self._committer.committed(each.partition),
                journal_from=ours.journal_from if (ours := due.get(each.partition)) else None,
                taken_over=self._partitions.is_owned(each.partition),
                open=len(each.ledger),
                oldest=each.ledger.oldest(most_open),
            )
            for each in sorted(self._partitions, key=lambda each: each.partition)
        ]

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether a partition is assigned to this replica and taken over, in that ownership epoch still."""
        return self._ownership.owns(partition, epoch)

    async def settled_owner(self, partition: Partition, epoch: int) -> bool:
        while (owner := self._ownership.owner(partition, epoch, self._clock.now())) is Owner.UNCERTAIN:
            moved = self._take_over.moved
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_TIMEOUT):  # membership is proven again without anything moving
                    await moved.wait()
        return owner is Owner.OURS

    async def batches(self) -> AsyncIterator[Sequence[KafkaRecord]]:
        while self._reading:
            if internals.is_reassigning(self._consumer):
                self._polling.rest()
            else:
                self._polling.beat()
            readable, admission = self._pause_what_is_full(), self._partitions.admission
            timeout = poll_timeout(len(self._consumer.assignment()), len(readable), admission.records_held)
            polled = await self._consumer.getmany(
                *readable,
                timeout_ms=round(timeout * 1000),
                max_records=max(1, min(MAX_POLL_RECORDS, admission.free_records)),
            )
            received = self._clock.wall()
            self._notice_resets()
            for topic_partition, records in polled.items():
                partition = Partition(*topic_partition)
                for record in records:
                    if not self._partitions.may_admit(partition, record.offset):
                        self._member.seek(partition, record.offset)
                        break
                    if self._partitions.admit(record, received):
                        self._note_restart(partition, record.offset)
            self._damaged.follow(lambda each: internals.position(self._consumer, each))
            self._skip_markers()
            if ready := self._partitions.take_ready():
                yield ready
        self._polling.rest()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._partitions.assign([Partition(*each) for each in assigned])
        self._member.joined()
        if self._reading:
            self._polling.beat()
        self._take_over.wake()
        log.info("partitions.assigned", partitions=named(self._partitions.names))
        self._take_over.start()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for what is in flight, commit it, and forget the assignment. aiokafka swallows what is raised here."""
        self._lease.revoked()  # before anything else: the group may go on without us while we wait
        self._polling.rest()
        self._take_over.end()
        self._partitions.release_early()
        await self._take_over.stop()
        if revoked:
            log.info("partitions.revoked", partitions=named(revoked))
            began = self._clock.now()
            try:
                await self._drain([Partition(*each) for each in revoked])
                await self._committer.last()
            except Exception:
                log.exception("partitions.drain_failed")
            left_open = sum(len(each.ledger) for each in self._partitions)
            log.info("partitions.drained", seconds=round(self._clock.now() - began, 3), left_open=left_open)
        self._stuck.clear()
        self._partitions.revoke()
        self._take_over.wake()

    def _why_not_owned(self) -> list[str]:
        """Say which partitions are held, and that others are still being taken over."""
        waiting = [each for each in self._partitions.names if not self._partitions.is_owned(each)]
        under_way = [each for each in waiting if not self._foreign.holds(each)]
        which = () if len(under_way) == len(self._partitions) else under_way
        return [*self._foreign.reasons(), *([self._take_over.reason(which)] if under_way else [])]

    def _client(self) -> Consumer:
        settings = self._settings
        return Consumer(
            **self._access.options,
            max_batch_bytes=settings.max_batch_bytes,
            decide=self._damaged.decide,
            group_id=settings.group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # aiokafka uses it wherever a position is not valid; see `starts.py`
            isolation_level="read_committed",  # an upload whose transaction was aborted did not happen
            session_timeout_ms=round(settings.session_timeout * 1000),
            heartbeat_interval_ms=round(settings.heartbeat_interval * 1000),
            rebalance_timeout_ms=round(settings.rebalance_timeout * 1000),
            max_partition_fetch_bytes=settings.max_partition_fetch_bytes,
            metadata_max_age_ms=round(METADATA_MAX_AGE * 1000),
            partition_assignment_strategy=(RangePartitionAssignor,),
        )

    def _pause_what_is_full(self) -> list[TopicPartition]:
        """Pause and resume partitions by what may be held, and return those that may be read."""
        assignment, paused = self._consumer.assignment(), self._consumer.paused()
        for each in assignment:
            waits = self._damaged.waits(each) or self._partitions.waits(Partition(*each))
            if each not in paused and (waits or self._partitions.is_full(Partition(*each))):
                self._consumer.pause(each)
            elif each in paused and not waits and self._partitions.has_drained(Partition(*each)):
                self._consumer.resume(each)
        self._stuck.look()
        paused = self._consumer.paused()
        metrics.PARTITIONS.set(len(assignment))
        metrics.PARTITIONS_PAUSED.set(len(paused))
        return [each for each in assignment if each not in paused]

    def _notice_resets(self) -> None:
        """See whether logs did not have what was due: retention was faster, or they are not what they were."""
        for topic_partition, reset in internals.resets(self._consumer).items():
            partition = Partition(*topic_partition)
            if reset.found > reset.due:
                lost = reset.found - reset.due
                metrics.UPLOADS_LOST.labels(partition.topic).inc(lost)
                log.error(
                    "uploads.lost", topic=partition.topic, partition=partition.number, offsets=lost, first=reset.due,
                    last=reset.found - 1,
                )  # fmt: skip
            elif partition in self._partitions and self._partitions[partition].ledger.is_behind(reset.found):
                self._partitions.restart(partition, reset.found)
                self._note_restart(partition, reset.found)

    def _note_restart(self, partition: Partition, offset: int) -> None:
        log.warning("partition.rewound", topic=partition.topic, partition=partition.number, offset=offset)
        self._take_over.restarted(partition, offset)

    def _skip_markers(self) -> None:
        """Count what lies before the next read and is no record, or the lag of a transactional topic is never 0."""
        for each in self._partitions:
            position = internals.position(self._consumer, TopicPartition(*each.partition))
            if position is not None:
                each.ledger.skip_to(position)

    def _due(self) -> Commit:
        return self._partitions.due(self._member.owner, self._read_back.behind)

    async def _send(self, commit: Commit) -> None:
        with self._committer.heartbeat.resting():
            await internals.coordinator(self._consumer)
        await self._member.commit(commit, self._lease.revoked)
        self._partitions.committed(commit)

    def _proved(self, sent_at: float) -> None:
        """Pass the proof of membership on once a partition is owned: before that, no call could be made."""
        self._ownership.prove(sent_at)
        if not self._partitions or self._ownership.owns_any:
            self._lease.committed(self._ownership.proven)

    async def _leave(self) -> None:
        """Leave the group, but not for ever: with the brokers away aiokafka's commit and stop may not end."""
        self._committer.abandon()
        if not await ends_within(STOP_DEADLINE, self._consumer.stop()):
            log.warning("group.not_left", seconds=STOP_DEADLINE)


def poll_timeout(assigned: int, readable: int, held: int) -> float:
    """How many seconds a poll may wait for a record, by the numbers of partitions, and of records that are held."""
    if assigned and not readable:
        return SHORT_POLL_TIMEOUT
    return POLL_TIMEOUT if held or readable < assigned or not assigned else IDLE_POLL_TIMEOUT
