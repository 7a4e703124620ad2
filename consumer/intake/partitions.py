"""
The partitions that are assigned to this replica: what was read of each, is held, and is not to be read yet.

Knows no Kafka client. Whose a partition is, `ownership.py` says; this acts on it.
"""

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from aiokafka import ConsumerRecord

from consumer.clock import Clock
from consumer.intake.admission import Admission
from consumer.intake.bases import Base
from consumer.intake.committer import Commit, commit_of
from consumer.intake.dating import RecordDates
from consumer.intake.ledger import PartitionLedger
from consumer.intake.ownership import Owner, Ownership, State
from consumer.journal.commit_metadata import BEGINNING, CommitMetadata
from consumer.journal.journal import Journal
from consumer.journal.signatures import CommitMark
from consumer.records import Delivery, Partition, seconds


@dataclass(slots=True, eq=False)
class AssignedPartition:
    """What was read of a partition, for as long as it is assigned to this replica; assigned again, it is another."""

    partition: Partition
    ledger: PartitionLedger = field(default_factory=PartitionLedger)
    dates: RecordDates = field(default_factory=RecordDates)
    early: list["KafkaRecord"] = field(default_factory=list)  # admitted, and not yet handed on
    unknown_since: float = inf  # no outcome that is published and not in the journal is older (unix seconds)
    limit: float = inf  # from this offset on outcomes may be published that are not in the journal
    restarted: bool = False  # its log began anew, or lost its end: the journal must be read for what is left

    @property
    def at_limit(self) -> bool:
        """Whether all has been read whose outcomes are known."""
        return self.ledger.next is not None and self.ledger.next >= self.limit


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """An admitted delivery. See `intake.Record`."""

    delivery: Delivery
    lane: str
    _assigned: AssignedPartition
    _admission: Admission

    def settle(self) -> None:
        self._assigned.ledger.settle(self.delivery.offset)
        self.release()

    def release(self) -> None:
        self._admission.dismiss(self._assigned, self.delivery.size, self.lane)


class Partitions:
    """See the module."""

    def __init__(
        self,
        ownership: Ownership,
        journal: Journal,
        admission: Admission,
        lane_by_topic: Mapping[str, str],
        most_outcomes: int,
        clock: Clock,
    ) -> None:
        """A partition is paused once `most_outcomes` are published beyond its lowest open record."""
        self.ownership = ownership
        self.journal = journal
        self.admission = admission
        self._lane_by_topic = lane_by_topic
        self._most_outcomes = most_outcomes
        self._clock = clock
        self._assigned: dict[Partition, AssignedPartition] = {}
        self._commits: dict[Partition, Base] = {}

    def __len__(self) -> int:
        return len(self._assigned)

    def __iter__(self) -> Iterator[AssignedPartition]:
        return iter(self._assigned.values())

    def __contains__(self, partition: Partition) -> bool:
        return partition in self._assigned

    def __getitem__(self, partition: Partition) -> AssignedPartition:
        return self._assigned[partition]

    @property
    def names(self) -> Set[Partition]:
        """Which partitions these are."""
        return self._assigned.keys()

    def assign(self, partitions: Collection[Partition]) -> None:
        """Begin an assignment. What was read of it already is kept."""
        for partition in partitions:
            self._assigned.setdefault(partition, AssignedPartition(partition))
        self.ownership.assign(self._assigned)
        self.journal.keep_only(self._assigned)

    def revoke(self) -> None:
        """End the assignment."""
        self.ownership.revoke()
        self._assigned.clear()  # aiokafka's protocol is eager: every partition was revoked

    def is_owned(self, partition: Partition) -> bool:
        """Whether a partition is owned: its records may be handed on."""
        return self.ownership.state(partition) is State.OWNED

    def is_certainly_ours(self, delivery: Delivery) -> bool:
        """Whether it is certain at this moment that a message is this replica's, in its ownership epoch still."""
        owner = self.ownership.owner(delivery.topic_partition, delivery.epoch, self._clock.now())
        return owner is Owner.OURS

    def waits(self, partition: Partition) -> bool:
        """Whether a partition is not to be read at the moment, however much could be held."""
        each = self._assigned.get(partition)
        return each is None or not self.is_owned(partition) or each.at_limit or self.is_stuck(each)

    def is_full(self, partition: Partition) -> bool:
        """Whether no more may be held of a partition, or of its lane."""
        crowded = self.admission.is_crowded(self._lane_by_topic[partition.topic])
        return crowded or self.admission.is_full(self._assigned[partition])

    def has_drained(self, partition: Partition) -> bool:
        """Whether a partition that was full may be read again."""
        crowded = self.admission.is_crowded(self._lane_by_topic[partition.topic])
        return not crowded and self.admission.has_drained(self._assigned[partition])

    def may_admit(self, partition: Partition, offset: int) -> bool:
        """Whether a partition is read on to this offset now, or only when more of its outcomes is known, or less."""
        each = self._assigned.get(partition)
        return each is None or (offset < each.limit and not self.is_stuck(each))

    def admit(self, record: ConsumerRecord[Any, Any], received: float) -> bool:
        """Hold a record; say whether its partition's log began anew with it."""
        partition = Partition(record.topic, record.partition)
        each = self._assigned.get(partition)
        if each is None:
            each = self._assigned[partition] = AssignedPartition(partition)
        restarts = each.ledger.is_behind(record.offset)
        if restarts:
            each = self.restart(partition, record.offset)
        timestamp = seconds(record.timestamp)
        delivery = Delivery(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=timestamp,
            key=record.key,
            value=record.value,
            headers=record.headers,
            received=received,
            kept_from=each.dates.kept_from(timestamp, received),
            epoch=self.ownership.epoch(partition),
            unreadable=getattr(record, "unreadable", None),
        )
        each.ledger.open(record.offset, received)
        lane = self._lane_by_topic[record.topic]
        self.admission.admit(each, delivery.size, lane)
        each.early.append(KafkaRecord(delivery, lane, each, self.admission))
        return restarts

    def take_ready(self) -> list[KafkaRecord]:
        """Take the records that were admitted of owned partitions."""
        ready: list[KafkaRecord] = []
        for each in self._assigned.values():
            if each.early and self.is_owned(each.partition):
                ready += each.early
                each.early = []
        return ready

    def release_early(self) -> None:
        """Let go of what came and was never handed on, or the drain would start it, or admission hold it for good."""
        for each in self._assigned.values():
            for record in each.early:
                record.release()
            each.early = []

    def restart(self, partition: Partition, offset: int) -> AssignedPartition:
        """
        Begin a partition anew whose log was: it was deleted and made again, or lost its end.

        What it has may have been judged, where only its end was lost: the journal tells, as far back as it goes.
        """
        before = self._assigned[partition]
        restarted = AssignedPartition(partition, early=before.early, unknown_since=BEGINNING, restarted=True)
        restarted.ledger.begin(offset)
        self.ownership.restart(partition)
        self._assigned[partition] = restarted
        return restarted

    def start_elsewhere(self, partition: Partition) -> None:
        """Forget what was read of a partition, and let go of it."""
        for record in self._assigned[partition].early:
            record.release()
        self._assigned[partition] = AssignedPartition(partition)

    def start(self, partition: Partition, offset: int, *, had_by_others: bool) -> int:
        """Note where an assigned partition starts, and return the lowest offset that may be committed of it."""
        each = self._assigned[partition]
        each.ledger.begin(offset)
        before, epoch = self.ownership.epoch(partition), self.ownership.prepare(partition, had_by_others=had_by_others)
        if epoch != before:
            each.early = [replace(record, delivery=replace(record.delivery, epoch=epoch)) for record in each.early]
        assert each.ledger.watermark is not None
        # What has come already lies before the committed offset where the log began anew.
        return min(offset, each.ledger.watermark)

    def is_stuck(self, each: AssignedPartition) -> bool:
        """Whether so much is published behind the partition's lowest open record that it must not be read on."""
        most, open_records = self._most_outcomes, len(each.ledger)
        if self.journal.count(each.partition) + open_records < most:
            return False  # the usual case, and cheap: this is asked for every record
        return self.outcomes_behind(each) + open_records >= most

    def outcomes_behind(self, each: AssignedPartition) -> int:
        """How many outcomes are known of records that were read and are not behind the watermark."""
        ledger = each.ledger
        if ledger.watermark is None or ledger.next is None:
            return 0
        return self.journal.count(each.partition, ledger.watermark, ledger.next)

    def due(self, owner: str, behind: float) -> Commit:
        """What may be committed now by the process `owner`. Outputs may be dated `behind` by so many seconds."""
        now = self._clock.wall()
        return {
            each.partition: commit_of(each.partition, each.ledger, self.journal, owner, now, each.unknown_since, behind)
            for each in self._assigned.values()
            if self.ownership.state(each.partition) in (State.PREPARED, State.OWNED)
        }

    def committed(self, commit: Commit) -> None:
        """Note that a commit was acknowledged."""
        for partition, (offset, metadata) in commit.items():
            self.journal.forget(partition, offset)
            if ours := CommitMetadata.read(metadata):
                self._commits[partition] = Base(CommitMark(offset, ours.journal_from), self._clock.wall())

    def last_commit(self, partition: Partition) -> Base | None:
        """What this process committed last of a partition, in this assignment or an earlier one."""
        return self._commits.get(partition)

    def mark(self, partition: Partition) -> CommitMark | None:
        """What an outcome of that partition says is committed."""
        base = self._commits.get(partition)
        return base.committed if base is not None else None

    def oldest_open(self) -> float:
        """Seconds since the oldest open record was read, 0 where none is open."""
        now = self._clock.wall()
        return max((now - each.ledger.earliest_output(now) for each in self._assigned.values()), default=0.0)
