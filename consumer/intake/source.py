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
  been taken over yet: they wait in `Assigned.early`.
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
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, KafkaError, StaleMetadata
from aiokafka.structs import OffsetAndMetadata

from consumer.clock import Clock, ends_within
from consumer.config.kafka import JournalSettings, KafkaSettings
from consumer.intake import Lease, Reading
from consumer.intake.admission import Admission
from consumer.intake.committer import Commit, Committer, commit_of
from consumer.intake.ledger import PartitionLedger
from consumer.intake.readback import ReadBack
from consumer.intake.starts import Start, Starts
from consumer.intake.windows import turn
from consumer.journal.commit_metadata import BEGINNING, CommitMetadata
from consumer.journal.journal import Journal
from consumer.journal.reader import OutputReader
from consumer.kafka import internals
from consumer.kafka.damage import DamagedUploads
from consumer.kafka.reading import Consumer
from consumer.kafka.security import KafkaAccess
from consumer.observability import metrics
from consumer.observability.heartbeat import Heartbeat
from consumer.records import Delivery, Partition, beyond, seconds

log = structlog.get_logger()

POLL_TIMEOUT = 0.2  # seconds: how late a stop or a partition with room again may be noticed
SHORT_POLL_TIMEOUT = 0.05  # likewise while no partition may be read
MAX_POLL_RECORDS = 100  # by so many the limits of a partition and of bytes may be exceeded
RETRY_DELAY = 1.0  # seconds
STOP_DEADLINE = 2.0  # seconds to leave the group
STUCK_DELAY = 5.0  # seconds that a record is open until what it holds is told
METADATA_MAX_AGE = 5.0  # seconds after which new partitions and topics are looked for
BEING_TAKEN_OVER = "kafka: the partitions are being taken over"


@dataclass(slots=True, eq=False)
class Assigned:
    """A partition for as long as it is assigned to this replica; assigned again, it is another."""

    partition: Partition
    ledger: PartitionLedger = field(default_factory=PartitionLedger)
    prepared: bool = False  # its journal is read, as far as there is room
    taken_over: bool = False  # and a commit of ours says so
    early: list["KafkaRecord"] = field(default_factory=list)  # admitted, and not yet handed on
    unknown_since: float = inf  # no outcome that is published and not in the journal is older (unix seconds)
    limit: float = inf  # from this offset on outcomes may be published that are not in the journal
    rewound: bool = False  # its log was begun anew, or has lost its end: the journal must be read for what is left

    @property
    def at_limit(self) -> bool:
        """Whether all has been read whose outcomes are known."""
        return self.ledger.next is not None and self.ledger.next >= self.limit


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """An admitted delivery. See `intake.Record`."""

    delivery: Delivery
    lane: str
    _assigned: Assigned
    _admission: Admission

    def settle(self) -> None:
        self._assigned.ledger.settle(self.delivery.offset)
        self.release()

    def release(self) -> None:
        self._admission.dismiss(self._assigned, self.delivery.size, self.lane)


Drain = Callable[[Collection[Partition]], Awaitable[None]]
"""Told which partitions are revoked; returns when what is in flight of them is published, or not worth waiting for."""


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """The upload topics, as one member of the group."""

    def __init__(
        self,
        settings: KafkaSettings,
        access: KafkaAccess,
        admission: Admission,
        lane_by_topic: Mapping[str, str],
        journal: Journal,
        outputs: OutputReader,
        limits: JournalSettings,
        lease: Lease,
        owner: str,
        clock: Clock,
    ) -> None:
        """`owner` names this process in its commits; see `journal/commit_metadata.py`."""
        self._settings = settings
        self._access = access
        self._admission = admission
        self._lane_by_topic = lane_by_topic
        self._journal = journal
        self._limits = limits
        self._lease = lease
        self._owner = owner
        self._clock = clock
        self._outputs_clock = outputs.brokers
        self._clock_skew = limits.clock_skew
        self._read_back = ReadBack(outputs, journal, limits, clock)
        self._starts = Starts(settings, owner, clock)
        self._partly_known: set[Partition] = set()  # of which not all that this process has published is in the journal
        self._stuck: set[Partition] = set()  # too much is published behind their lowest open record
        self._committer = Committer(self._due, self._send, self._proved, settings.commit_interval, clock)
        self._damaged = DamagedUploads(settings.skip_damaged, clock)
        self._polling = Heartbeat("the poll loop", clock)
        self._assigned: dict[Partition, Assigned] = {}
        self._epochs: dict[Partition, int] = {}  # of the partitions whose journal is in memory
        self._last_epoch = 0
        self._generation = -1
        self._assigned_at = 0.0
        self._proven = -inf  # when the latest commit was sent that was acknowledged
        self._rejoining = True  # nobody knows whose the partitions are
        self._assignments = 0
        self._taking_over: asyncio.Task[None] | None = None
        self._not_taken_over = BEING_TAKEN_OVER  # and why that takes so long
        self._reading = True
        self._moved = asyncio.Event()
        self._drain: Drain
        self._consumer: Consumer
        metrics.OLDEST_OPEN_SECONDS.set_function(self._oldest_open)

    @contextlib.asynccontextmanager
    async def opened(self, drain: Drain) -> AsyncIterator[None]:
        """Be a member of the group until the context ends. `KafkaError` escapes where no broker can be reached."""
        self._drain = drain
        self._consumer = Consumer(
            **self._access.options,
            max_batch_bytes=self._settings.max_batch_bytes,
            decide=self._damaged.decide,
            group_id=self._settings.group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # aiokafka uses it wherever a position is not valid; see `starts.py`
            isolation_level="read_committed",  # an upload whose transaction was aborted did not happen
            session_timeout_ms=round(self._settings.session_timeout * 1000),
            heartbeat_interval_ms=round(self._settings.heartbeat_interval * 1000),
            rebalance_timeout_ms=round(self._settings.rebalance_timeout * 1000),
            max_partition_fetch_bytes=self._settings.max_partition_fetch_bytes,
            metadata_max_age_ms=round(METADATA_MAX_AGE * 1000),
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        internals.create_no_topics(self._consumer)
        self._access.register(self._consumer)
        self._consumer.subscribe(self._settings.topics, listener=self)
        try:
            await self._consumer.start()
            committing = asyncio.create_task(self._committer.run(), name="committer")
            try:
                yield
            finally:
                self._lease.revoked()
                await self._stop_taking_over()
                committing.cancel()
                await asyncio.wait([committing])
                await self._committer.last()
        finally:
            await self._leave()

    def reasons_not_ready(self) -> list[str]:
        """Say why no uploads are read at the moment; nothing where they are."""
        if not self._reading:
            return ["stopping: finishes what is in flight"]
        if self._rejoining:
            return [f"kafka: not a member of group {self._settings.group_id} yet"]
        # Who has lost all brokers and found them again knows no topic for a moment; then the brokers are the reason.
        missing = (
            [] if self._access.reasons_not_ready() else internals.missing_topics(self._consumer, self._settings.topics)
        )
        reasons = [f"kafka: input topic {topic} does not exist, or this user may not see it" for topic in missing]
        if self._assigned and not any(assigned.taken_over for assigned in self._assigned.values()):
            reasons.append(self._not_taken_over + self._read_back.progress())
        return reasons

    def degraded(self) -> list[str]:
        """Say which partitions wait for something, while others are read."""
        reasons = [*self._damaged.reasons()]
        waiting = [partition for partition, each in self._assigned.items() if not each.taken_over]
        if waiting and len(waiting) < len(self._assigned):
            reasons.append(f"{self._not_taken_over}, {', '.join(_named(waiting))}{self._read_back.progress()}")
        if (behind := self._outputs_clock.behind) > self._clock_skew:
            reasons.append(
                f"kafka: the brokers' clock is {behind:.1f} s behind this machine's, and the outputs have "
                "LogAppendTime: the journal is read from so much earlier"
            )
        for partition in sorted(self._stuck & self._assigned.keys()):
            for offset, since in self._assigned[partition].ledger.oldest(1):
                reasons.append(
                    f"kafka: {partition.topic}/{partition.number} is not read on: offset {offset} is open since "
                    f"{utc(since)}, and {self._behind(self._assigned[partition])} outcomes are published behind it"
                )
        return reasons

    def acknowledged(self, sent_at: float, timestamp: int, timestamp_type: int) -> None:
        """Be told of an outcome that Kafka has taken; see `BrokerClock`."""
        behind = self._outputs_clock.notice(sent_at, timestamp, timestamp_type)
        if behind is not None and behind > self._clock_skew:
            log.error("outputs.clock_behind", seconds=round(behind, 3), clock_skew=self._clock_skew)

    def complaints(self) -> list[str]:
        """Say which loop hangs, though nobody keeps it waiting."""
        return self._polling.complaints() + self._committer.heartbeat.complaints()

    def stop_reading(self) -> None:
        self._reading = False

    def readings(self, most_open: int) -> list[Reading]:
        """How far each partition is read, with at most so many of its open records."""
        due = {partition: CommitMetadata.read(metadata) for partition, (_, metadata) in self._due().items()}
        return [
            Reading(
                partition=partition,
                committed=self._committer.committed(partition),
                journal_from=metadata.journal_from if (metadata := due.get(partition)) else None,
                taken_over=assigned.taken_over,
                open=len(assigned.ledger),
                oldest=assigned.ledger.oldest(most_open),
            )
            for partition, assigned in sorted(self._assigned.items())
        ]

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether a partition is assigned to this replica and taken over, in that ownership epoch still."""
        assigned = self._assigned.get(partition)
        return assigned is not None and assigned.taken_over and self._epochs.get(partition) == epoch

    def _is_member(self) -> bool:
        """
        Whether nobody else can own this replica's partitions yet: the broker has heard of it within the session
        timeout, less a second for what clocks and networks do.
        """
        return self._clock.now() < self._proven + self._settings.session_timeout - 1.0

    def _proved(self, sent_at: float) -> None:
        self._proven = sent_at
        self._renew_lease()

    def _renew_lease(self) -> None:
        """Pass the proof on once a partition is taken over: before that, no call could be made."""
        if not self._assigned or any(assigned.taken_over for assigned in self._assigned.values()):
            self._lease.committed(self._proven)

    async def settled_owner(self, partition: Partition, epoch: int) -> bool:
        while not (self.owns(partition, epoch) and self._is_member()):
            if not self._rejoining and self._epochs.get(partition) != epoch:
                return False
            moved = self._moved
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_TIMEOUT):  # membership is proven again without anything moving
                    await moved.wait()
        return True

    async def batches(self) -> AsyncIterator[Sequence[KafkaRecord]]:
        while self._reading:
            if internals.is_reassigning(self._consumer):
                self._polling.rest()
            else:
                self._polling.beat()
            readable = self._pause_what_is_full()
            polled = await self._consumer.getmany(
                *readable,
                timeout_ms=round((POLL_TIMEOUT if readable else SHORT_POLL_TIMEOUT) * 1000),
                max_records=max(1, min(MAX_POLL_RECORDS, self._admission.free_records)),
            )
            received = self._clock.wall()
            self._notice_resets()
            for partition, records in polled.items():
                for record in records:
                    if not self._may_admit(partition, record.offset):
                        self._consumer.seek(partition, record.offset)
                        break
                    self._admit(record, received)
            self._damaged.follow(lambda partition: internals.position(self._consumer, partition))
            batch = []
            for assigned in self._assigned.values():
                self._skip_markers(assigned)
                if assigned.taken_over and assigned.early:
                    batch += assigned.early
                    assigned.early = []
            if batch:
                yield batch
        self._polling.rest()

    def _pause_what_is_full(self) -> list[TopicPartition]:
        """Pause and resume partitions by the room there is, and return those that may be read."""
        assignment, paused = self._consumer.assignment(), self._consumer.paused()
        for partition in assignment:
            assigned = self._assigned.get(Partition(*partition))
            crowded = self._admission.is_crowded(self._lane_by_topic[partition.topic])
            waits = assigned is None or not assigned.taken_over or assigned.at_limit or self._is_stuck(assigned)
            waits = waits or self._damaged.waits(partition)
            if partition not in paused and (waits or crowded or self._admission.is_full(assigned)):
                self._consumer.pause(partition)
            elif partition in paused and not waits and not crowded and self._admission.has_drained(assigned):
                self._consumer.resume(partition)
        for assigned in self._assigned.values():
            self._notice_stuck(assigned)
        metrics.PARTITIONS_STUCK.set(len(self._stuck & self._assigned.keys()))
        paused = self._consumer.paused()
        metrics.PARTITIONS.set(len(assignment))
        metrics.PARTITIONS_PAUSED.set(len(paused))
        return [partition for partition in assignment if partition not in paused]

    def _is_stuck(self, assigned: Assigned) -> bool:
        """Whether so much is published behind the partition's lowest open record that it must not be read on."""
        most, open_records = self._limits.max_outcomes_per_partition, len(assigned.ledger)
        if self._journal.count(assigned.partition) + open_records < most:
            return False  # the usual case, and cheap: this is asked for every record
        return self._behind(assigned) + open_records >= most

    def _notice_stuck(self, assigned: Assigned) -> None:
        """Log a partition that is held for longer than its records usually take, and that it goes on."""
        partition = assigned.partition
        oldest = assigned.ledger.oldest(1)
        if not oldest or not self._is_stuck(assigned):
            if partition in self._stuck:
                self._stuck.discard(partition)
                log.info("partition.goes_on", topic=partition.topic, partition=partition.number)
        elif partition not in self._stuck and self._clock.wall() - oldest[0][1] >= STUCK_DELAY:
            self._stuck.add(partition)
            log.warning(
                "partition.stuck", topic=partition.topic, partition=partition.number, offset=oldest[0][0],
                open_since=utc(oldest[0][1]), outcomes_behind=self._behind(assigned),
            )  # fmt: skip

    def _behind(self, assigned: Assigned) -> int:
        """Outcomes of records that were read and are not behind the watermark."""
        ledger = assigned.ledger
        if ledger.watermark is None or ledger.next is None:
            return 0
        return self._journal.count(assigned.partition, ledger.watermark, ledger.next)

    def _may_admit(self, partition: TopicPartition, offset: int) -> bool:
        """Whether the partition is read on to this offset now, or only when more of its outcomes is known, or less."""
        assigned = self._assigned.get(Partition(*partition))
        return assigned is None or (offset < assigned.limit and not self._is_stuck(assigned))

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
            elif partition in self._assigned and self._assigned[partition].ledger.is_behind(reset.found):
                self._rewind(self._assigned[partition], reset.found)

    def _admit(self, record: ConsumerRecord[Any, Any], received: float) -> None:
        partition = Partition(record.topic, record.partition)
        assigned = self._assigned.get(partition)
        if assigned is None:
            assigned = self._assigned[partition] = Assigned(partition)
        elif assigned.ledger.is_behind(record.offset):
            assigned = self._rewind(assigned, record.offset)
        delivery = Delivery(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=seconds(record.timestamp),
            key=record.key,
            value=record.value,
            headers=record.headers,
            received=received,
            epoch=self._epochs.get(partition, 0),
            unreadable=getattr(record, "unreadable", None),
        )
        assigned.ledger.open(record.offset, received)
        lane = self._lane_by_topic[record.topic]
        self._admission.admit(assigned, delivery.size, lane)
        assigned.early.append(KafkaRecord(delivery, lane, assigned, self._admission))

    def _rewind(self, before: Assigned, offset: int) -> Assigned:
        """
        Begin a partition anew whose log was: it was deleted and made again, or lost its end.

        What it has may have been judged, where only its end was lost: the journal tells, as far back as it goes.
        """
        log.warning("partition.rewound", topic=before.partition.topic, partition=before.partition.number, offset=offset)
        rewound = Assigned(
            before.partition, prepared=True, early=before.early, unknown_since=BEGINNING, limit=inf, rewound=True
        )
        rewound.ledger.begin(offset)
        self._committer.begin_anew(before.partition, offset)
        self._assigned[before.partition] = rewound
        self._partly_known.add(before.partition)
        return rewound

    def _skip_markers(self, assigned: Assigned) -> None:
        """Count what lies before the next read and is no record, or the lag of a transactional topic is never 0."""
        if (position := internals.position(self._consumer, TopicPartition(*assigned.partition))) is not None:
            assigned.ledger.skip_to(position)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        for partition in map(Partition._make, assigned):
            self._assigned.setdefault(partition, Assigned(partition))
        self._journal.keep_only(self._assigned)
        self._epochs = {partition: epoch for partition, epoch in self._epochs.items() if partition in self._assigned}
        self._generation = internals.generation(self._consumer)
        self._assigned_at = self._clock.now()
        self._rejoining = False
        if self._reading:
            self._polling.beat()
        self._something_moved()
        log.info("partitions.assigned", partitions=_named(self._assigned))
        self._assignments += 1
        self._taking_over = asyncio.create_task(self._take_over(self._assignments), name="take over")

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for what is in flight, commit it, and forget the assignment. aiokafka swallows what is raised here."""
        self._lease.revoked()  # before anything else: the group may go on without us while we wait
        self._polling.rest()
        self._assignments += 1
        self._release_early()
        await self._stop_taking_over()
        if revoked:
            log.info("partitions.revoked", partitions=_named(revoked))
            began = self._clock.now()
            try:
                await self._drain([Partition(*partition) for partition in revoked])
                await self._committer.last()
            except Exception:
                log.exception("partitions.drain_failed")
            left_open = sum(len(assigned.ledger) for assigned in self._assigned.values())
            log.info("partitions.drained", seconds=round(self._clock.now() - began, 3), left_open=left_open)
        self._rejoining = True
        self._stuck.clear()
        self._assigned.clear()  # aiokafka's protocol is eager: every partition was revoked
        self._something_moved()

    def _release_early(self) -> None:
        """Let go of what came and was never handed on, lest the drain begin it, or admission hold it for good."""
        for assigned in self._assigned.values():
            for record in assigned.early:
                record.release()
            assigned.early = []

    async def _take_over(self, assignment: int) -> None:
        """
        Read the journal, and commit before the first record is begun, for each partition as soon as that is possible.
        Tried until all are taken over, and again for those of which the journal has more than fits, and for rewound
        ones, until the assignment is over.

        That is looked at, and not left to the task's cancellation, which aiokafka 0.14 may swallow.
        """
        self._not_taken_over = BEING_TAKEN_OVER
        leased = False
        while assignment == self._assignments:
            try:
                counts = {} if leased else await self._counts()
                if assignment != self._assignments:
                    return
                if not leased:
                    self._lease.assigned(self._assigned, counts, self._assigned_at, self._generation)
                    leased = True
                self._not_taken_over = BEING_TAKEN_OVER
                await self._take_over_what_can_be(assignment)
            except KafkaError as error:
                self._not_taken_over = f"kafka: the partitions cannot be taken over: {type(error).__name__}"
                log.warning("partitions.not_taken_over", error=type(error).__name__, retry_in=RETRY_DELAY)
            except Exception:
                self._not_taken_over = "kafka: the partitions cannot be taken over: see the log"
                log.exception("partitions.not_taken_over", retry_in=RETRY_DELAY)
            await self._clock.sleep(RETRY_DELAY)

    async def _take_over_what_can_be(self, assignment: int) -> None:
        """Look once at every partition that waits; a reading of the journal serves those that need it, in turns."""
        began = self._clock.now()
        starts = await self._find_starts()
        ready = {partition: start for partition, start in starts.items() if start.since is None}
        if not await self._go_on(assignment, ready, {}, began):
            return
        since = {partition: start.since for partition, start in starts.items() if start.since is not None}
        while since and assignment == self._assignments:
            served = {partition: since.pop(partition) for partition in turn(since, self._clock.wall())}
            begins = {partition: starts[partition].offset for partition in served}
            limits = await self._read_back.read(served, begins, lambda: assignment == self._assignments)
            if not await self._go_on(assignment, {partition: starts[partition] for partition in served}, limits, began):
                return

    async def _find_starts(self) -> Mapping[Partition, Start]:
        """Where those partitions begin that wait to be taken over, or for more of their journal."""
        new = [each for each in self._assigned.values() if not each.taken_over and not each.rewound]
        remembered = self._epochs.keys() - self._partly_known
        starts: dict[Partition, Start] = {}
        if new:
            counts = {each.partition.topic: 0 for each in new}
            if self._settings.auto_offset_reset == "latest":
                counts |= await self._counts()
            partitions = [TopicPartition(*each.partition) for each in new]
            starts |= await self._starts.find(self._consumer, partitions, remembered, counts, self._generation)
        for each in self._assigned.values():
            if each.rewound and not each.taken_over:
                assert each.ledger.watermark is not None
                starts[each.partition] = Start(each.ledger.watermark, BEGINNING)
            elif each.taken_over and each.at_limit and self._has_room_for_more(each):
                starts[each.partition] = Start(int(each.limit), each.unknown_since)
        return starts

    def _has_room_for_more(self, assigned: Assigned) -> bool:
        """Whether another reading of the journal is worth its time: what it found before has mostly been passed."""
        watermark = assigned.ledger.watermark
        passed = watermark is not None and watermark >= assigned.limit
        return passed or len(self._journal) <= self._limits.max_outcomes // 2

    async def _go_on(
        self, assignment: int, starts: Mapping[Partition, Start], limits: Mapping[Partition, int], began: float
    ) -> bool:
        """Take these partitions over, up to their limits; say whether that worked, and the assignment goes on."""
        if assignment != self._assignments:
            return False
        for partition, start in starts.items():
            self._prepare(partition, start, limits.get(partition))
        taken = [self._assigned[partition] for partition in starts if not self._assigned[partition].taken_over]
        if not taken:
            return True
        while not await self._committer.commit():
            if assignment != self._assignments:
                return False
            self._not_taken_over = "kafka: the partitions cannot be taken over: the commit fails"
            await self._clock.sleep(RETRY_DELAY)
        if assignment != self._assignments:
            return False
        for each in taken:
            each.taken_over = True
        self._renew_lease()
        self._something_moved()
        log.info(
            "partitions.taken_over", partitions=_named([each.partition for each in taken]),
            seconds=round(self._clock.now() - began, 3), outcomes_known=len(self._journal),
        )  # fmt: skip
        return True

    async def _counts(self) -> Mapping[str, int]:
        """How many partitions each topic has. `StaleMetadata` escapes where some are assigned that cannot be there."""
        counts = await internals.partition_counts(self._consumer, self._settings.topics)
        if contradictory := beyond(self._assigned, counts):
            log.warning("partitions.miscounted", partitions=_named(contradictory), counted=counts)
            raise StaleMetadata(contradictory)
        return counts

    def _prepare(self, partition: Partition, start: Start, limit: int | None) -> None:
        """Note where a partition begins. What was started of one that others had is theirs: a new epoch."""
        if start.moved:
            self._start_at(partition, start.offset)
        current = self._assigned[partition]
        current.limit, current.unknown_since = inf, inf
        self._partly_known.discard(partition)
        if limit is not None:
            assert start.since is not None
            current.limit, current.unknown_since = limit, start.since
            self._partly_known.add(partition)
            log.info("journal.window", topic=partition.topic, partition=partition.number, begin=start.offset, end=limit)
        if current.taken_over:
            return
        current.ledger.begin(start.offset)
        if start.others or partition not in self._epochs:
            self._start_epoch(current)
        current.prepared = True
        assert current.ledger.watermark is not None
        # What has come already lies before the committed offset where the log was begun anew.
        self._committer.begin_anew(partition, min(start.offset, current.ledger.watermark))

    def _start_at(self, partition: Partition, offset: int) -> None:
        """Begin a partition elsewhere than the client did, and let go of what that has read."""
        before = self._assigned[partition]
        for record in before.early:
            record.release()
        self._assigned[partition] = Assigned(partition)
        self._consumer.seek(TopicPartition(*partition), offset)

    def _start_epoch(self, assigned: Assigned) -> None:
        self._last_epoch += 1
        self._epochs[assigned.partition] = self._last_epoch
        assigned.early = [
            replace(record, delivery=replace(record.delivery, epoch=self._last_epoch)) for record in assigned.early
        ]

    def _due(self) -> Commit:
        """What may be committed now: of each partition its watermark, and since when its journal must be read."""
        now, behind = self._clock.wall(), self._outputs_clock.behind
        return {
            partition: commit_of(partition, each.ledger, self._journal, self._owner, now, each.unknown_since, behind)
            for partition, each in self._assigned.items()
            if each.prepared
        }

    def _oldest_open(self) -> float:
        now = self._clock.wall()
        return max((now - each.ledger.earliest_output(now) for each in self._assigned.values()), default=0.0)

    async def _send(self, commit: Commit) -> None:
        offsets = {TopicPartition(*partition): OffsetAndMetadata(*each) for partition, each in commit.items()}
        generation = self._generation
        with self._committer.heartbeat.resting():
            await internals.coordinator(self._consumer)
        try:
            await internals.commit_once(self._consumer, offsets, generation)
        except CommitFailedError:
            if generation == self._generation:  # or it says nothing of the membership that has begun since
                self._lease.revoked()
            raise
        for partition, (offset, _) in commit.items():
            self._journal.forget(partition, offset)

    async def _stop_taking_over(self) -> None:
        if self._taking_over is not None:
            self._taking_over.cancel()
            if not (await asyncio.wait([self._taking_over], timeout=STOP_DEADLINE))[0]:
                log.warning("take_over.not_stopped", seconds=STOP_DEADLINE)
            self._taking_over = None

    def _something_moved(self) -> None:
        """Wake who waits for an assignment."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def _leave(self) -> None:
        """Leave the group, but not for ever: with the brokers away aiokafka's commit and stop may not end."""
        self._committer.abandon()
        if not await ends_within(STOP_DEADLINE, self._consumer.stop()):
            log.warning("group.not_left", seconds=STOP_DEADLINE)


def utc(moment: float) -> str:
    """A moment, in unix seconds, as people read it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _named(partitions: Collection[tuple[str, int]]) -> list[str]:
    return sorted(f"{topic}/{number}" for topic, number in partitions)
