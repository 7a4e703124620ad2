"""The source through rebalances, without a broker: a consumer that is told what it is assigned and what comes."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalGenerationError, KafkaTimeoutError
from aiokafka.structs import OffsetAndMetadata

from consumer.clock import SystemClock
from consumer.config.kafka import JournalSettings, KafkaSettings, OutputTopics
from consumer.config.operation import AdmissionSettings
from consumer.dispatch.quota import Due, Quota
from consumer.fairness import DEFAULT
from consumer.intake import source as source_module
from consumer.intake import takeover
from consumer.intake.admission import Admission
from consumer.intake.ownership import Ownership, State
from consumer.intake.partitions import KafkaRecord
from consumer.intake.source import (
    IDLE_POLL_TIMEOUT,
    POLL_TIMEOUT,
    SHORT_POLL_TIMEOUT,
    KafkaSource,
    poll_timeout,
)
from consumer.journal.broker_clock import BrokerClock
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.commits import Commits
from consumer.journal.journal import Journal
from consumer.journal.reader import Outcome, Wants
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.records import Partition, SourceId
from tests.rig.events import delivery
from tests.rig.outcomes import OUTCOMES
from tests.rig.sources import NO_KEYS, kafka_source

PLACE, PARTITION = Partition("uploads", 0), TopicPartition("uploads", 0)
OURS, ANOTHERS = "00000000", "11111111"


class Member:
    """aiokafka's consumer, as far as the source uses it. It is its own coordinator, client and subscription."""

    def __init__(self) -> None:
        self._coordinator = self._client = self._subscription = self
        self.cluster = self
        self.subscription = None
        self.reassignment_in_progress = False
        self.looks_at_counts = 0
        self.counted = {0, 1}  # the numbers of each topic's partitions, as the metadata has them
        self.generation = 0
        self.offsets: dict[TopicPartition, OffsetAndMetadata] = {}
        self.answers = asyncio.Event()  # to commits
        self.answers.set()
        self.commits = 0  # that were sent
        self.failing_commits = 0
        self.unanswered_offsets: asyncio.Event | None = None  # while it is not set no committed offset is told
        self.sought: list[tuple[TopicPartition, int]] = []
        self.is_parked = False  # a poll waits for what follows
        self.polled = asyncio.Event()  # while it is not set no poll returns
        self.polled.set()
        self._assignment: set[TopicPartition] = set()
        self._fetched: asyncio.Queue[Mapping[TopicPartition, Sequence[Any]]] = asyncio.Queue()

    def subscribe(self, topics: Collection[str], listener: object) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ensure_coordinator_known(self) -> None: ...

    async def force_metadata_update(self) -> None: ...

    async def _metadata_update(self, *_: object) -> None: ...

    def brokers(self) -> set[Any]:
        return set()

    def leader_for_partition(self, partition: TopicPartition) -> int:
        return 0

    def partitions_for_topic(self, topic: str) -> set[int]:
        self.looks_at_counts += 1
        return self.counted

    def assignment(self) -> set[TopicPartition]:
        return self._assignment

    def paused(self) -> set[TopicPartition]:
        return set()

    def pause(self, *partitions: TopicPartition) -> None: ...

    def resume(self, *partitions: TopicPartition) -> None: ...

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 10)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append((partition, offset))

    async def fetch_committed_offsets(
        self, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        if self.unanswered_offsets is not None:
            await self.unanswered_offsets.wait()
        return {each: self.offsets[each] for each in partitions if each in self.offsets}

    async def _do_commit_offsets(self, _: None, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        if self.failing_commits:
            self.failing_commits -= 1
            raise KafkaTimeoutError
        generation = self.generation
        self.commits += 1
        await self.answers.wait()
        if generation != self.generation:
            raise IllegalGenerationError
        self.offsets |= offsets

    async def getmany(self, *_: TopicPartition, **__: int) -> Mapping[TopicPartition, Sequence[Any]]:
        self.is_parked = not self.polled.is_set()
        await self.polled.wait()
        self.is_parked = False
        try:
            async with asyncio.timeout(0.01):
                return await self._fetched.get()
        except TimeoutError:
            return {}

    def fetch(self, *offsets: int) -> None:
        """Let these records of the partition come."""
        self._fetched.put_nowait(
            {
                PARTITION: [
                    ConsumerRecord("uploads", 0, offset, 1_763_632_800_123, 0, b"k", b"{}", None, 1, 2, ())
                    for offset in offsets
                ]
            }
        )


@dataclass
class Outputs:
    """The output topics. While they are closed no reading of them ends."""

    outcomes: list[Outcome] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    brokers: BrokerClock = field(default_factory=BrokerClock)

    def margin(self) -> float:
        return 5.0

    async def read(self, since: float, wants: Wants) -> AsyncGenerator[Sequence[Outcome]]:
        await self.opened.wait()
        yield [each for each in self.outcomes if each.at >= since and wants(each.id, each.partition, each.offset)]


@dataclass
class Replica:
    """A source, and what it needs."""

    source: KafkaSource
    member: Member
    outputs: Outputs
    journal: Journal
    admission: Admission
    quota: Quota
    ownership: Ownership
    records: list[KafkaRecord] = field(default_factory=list)

    async def gain(self, *partitions: TopicPartition) -> None:
        """Join another generation of the group."""
        self.member.generation += 1
        self.member._assignment = set(partitions)
        await self.source.on_partitions_assigned(self.member._assignment)

    async def take_over(self, *partitions: TopicPartition) -> None:
        await self.gain(*partitions)
        await until(lambda: self.source.reasons_not_ready() == [])

    async def lose(self) -> None:
        """Be told of a rebalance."""
        await self.source.on_partitions_revoked(self.member._assignment)

    async def read(self) -> None:
        async for batch in self.source.batches():
            self.records += batch


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def replica(
    monkeypatch: pytest.MonkeyPatch, limits: JournalSettings | None = None, keyring: Keyring = NO_KEYS
) -> AsyncIterator[Replica]:
    """One that reads until the block ends."""
    member, outputs, journal, admission = Member(), Outputs(), Journal(), Admission(AdmissionSettings())
    outputs.opened.set()
    quota = Quota({DEFAULT: Due(("uploads",), 100)}, session_timeout=6.0, window=0.0)
    monkeypatch.setattr(source_module, "Consumer", lambda **_: member)
    settings = KafkaSettings(
        bootstrap_servers="127.0.0.1:9",
        group_id="group",
        topics=("uploads",),
        outputs=OutputTopics.model_validate({name: name for name in OUTCOMES}),
        session_timeout=6.0,
        heartbeat_interval=1.0,
        commit_interval=0.02,
    )

    async def nothing_in_flight(_: Collection[Partition]) -> None:
        await asyncio.sleep(0.05)

    source = kafka_source(
        settings, KafkaAccess(settings), admission, {"uploads": DEFAULT}, journal, outputs,
        limits or JournalSettings(), quota, OURS, SystemClock(), keyring,
    )  # fmt: skip
    async with source.opened(nothing_in_flight):
        opened = Replica(source, member, outputs, journal, admission, quota, source._ownership)
        reading = asyncio.create_task(opened.read())
        yield opened
        source.stop_reading()
        await reading


async def test_records_of_an_assignment_that_was_never_taken_over_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    They were admitted and nobody got them: after a storm of rebalances there is as much room as before.
    """
    async with replica(monkeypatch) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(0, str(CommitMetadata(5.0, ANOTHERS)))
        ours.outputs.opened.clear()
        room = ours.admission.free_records

        await ours.gain(PARTITION)
        ours.member.fetch(0, 1, 2)
        await until(lambda: ours.admission.free_records == room - 3)
        await ours.lose()

        assert ours.records == []
        assert ours.admission.free_records == room


async def test_after_a_strangers_commit_all_of_the_journal_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without a key it is believed, as an operator's is who has reset the group; what is published is known all the same.
    """
    async with replica(monkeypatch) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(3, "a console consumer's")
        ours.outputs.outcomes.append(Outcome(SourceId("1f"), PLACE, 4, 1.0))

        await ours.take_over(PARTITION)

        assert ours.journal.count(PLACE) == 1


async def test_where_commits_are_signed_the_client_begins_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It asks for the committed offset by itself, and may be told another than the genuine one: a stranger in the group
    commits between the two questions, and what lies between the offsets would never be read.
    """
    keyring = Keyring({"k1": b"k" * 32}, "k1")
    metadata = Commits("group", ANOTHERS, keyring, 0.0, time.time).sign(PLACE, 3, str(CommitMetadata(5.0, ANOTHERS)))
    async with replica(monkeypatch, keyring=keyring) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(3, metadata)

        await ours.take_over(PARTITION)

        assert ours.member.sought == [(PARTITION, 3)]


async def test_a_held_partition_hides_no_other_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Readiness says which one an operator must look at, and which one only takes its time.
    """
    keyring, second = Keyring({"k1": b"k" * 32}, "k1"), Partition("uploads", 1)
    metadata = Commits("group", ANOTHERS, keyring, 0.0, time.time).sign(second, 3, str(CommitMetadata(5.0, ANOTHERS)))
    async with replica(monkeypatch, keyring=keyring) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(3, "a console consumer's")
        await ours.gain(PARTITION)
        await until(lambda: any("is held" in each for each in ours.source.reasons_not_ready()))
        await ours.lose()
        ours.member.offsets[TopicPartition(*second)] = OffsetAndMetadata(3, metadata)
        ours.outputs.opened.clear()

        await ours.gain(PARTITION, TopicPartition(*second))
        await until(lambda: len(ours.source.reasons_not_ready()) == 2)
        held, waits = ours.source.reasons_not_ready()

        assert "uploads/0 is held" in held
        assert "uploads/1" in waits
        assert "uploads/0" not in waits
        ours.outputs.opened.set()


async def test_a_drain_hands_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What had come before the takeover and was not handed on by its end will be read again, perhaps by another replica.
    """
    async with replica(monkeypatch) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(0, str(CommitMetadata(5.0, ANOTHERS)))
        ours.outputs.opened.clear()
        room = ours.admission.free_records
        await ours.gain(PARTITION)
        ours.member.fetch(0, 1, 2)
        await until(lambda: ours.admission.free_records == room - 3)
        ours.member.polled.clear()
        await until(lambda: ours.member.is_parked)
        ours.outputs.opened.set()
        await until(lambda: ours.source.reasons_not_ready() == [])

        draining = asyncio.create_task(ours.lose())
        await asyncio.sleep(0)
        ours.member.polled.set()
        await draining

        assert ours.records == []
        assert ours.admission.free_records == room


async def test_no_call_departs_before_its_partition_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The first commit fails and the next second's succeeds: calls that wait would find that nobody owns their partition.
    """
    async with replica(monkeypatch) as ours:
        ours.member.failing_commits = 1
        await ours.gain(PARTITION)

        await until(lambda: ours.quota.share(SystemClock().now()).total > 0)

        assert ours.source.owns(PLACE, 1)


async def test_a_commit_of_an_earlier_generation_that_fails_late_ends_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It tells of a membership that is over; the one that has begun since goes on.
    """
    monkeypatch.setattr("consumer.intake.committer.LAST_COMMIT_DEADLINE", 0.05)
    async with replica(monkeypatch) as ours:
        await ours.take_over(PARTITION)
        ours.member.answers.clear()
        before = ours.member.commits
        await until(lambda: ours.member.commits > before)  # one is under way
        await ours.lose()

        await ours.gain(PARTITION)
        # Its first commit waits for the one before.
        await until(lambda: ours.ownership.state(PLACE) is State.PREPARED)
        ours.member.answers.set()

        await until(lambda: ours.source.reasons_not_ready() == [])
        assert ours.quota.share(SystemClock().now()).total == 50


async def test_what_was_forgotten_while_a_partition_was_away_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Its owner meanwhile may have committed nothing, so that the last commit is ours; but our memory of it is gone.
    """
    async with replica(monkeypatch) as ours:
        await ours.take_over(PARTITION)
        ours.journal.note(PLACE, 5, SourceId("five"), 2_000_000_000.0)
        ours.outputs.outcomes.append(Outcome(SourceId("five"), PLACE, 5, 2_000_000_000.0))

        await ours.lose()
        await ours.take_over()
        await ours.lose()
        await ours.take_over(PARTITION)

        assert ours.journal.holds(delivery(offset=5), SourceId("five"))


FEW = JournalSettings(max_outcomes=4, max_outcomes_per_partition=100)


async def read_all(ours: Replica, count: int) -> list[int]:
    """Read a log whose outcomes are all published; each record must be known by the time it is handed on."""
    async with asyncio.timeout(10):
        while (read := len(ours.records)) < count:
            ours.member.fetch(*range(read, count))
            await asyncio.sleep(0.03)
            for record in ours.records[read:]:
                assert ours.journal.holds(record.delivery, SourceId(str(record.delivery.offset)))
                record.settle()
    return [record.delivery.offset for record in ours.records]


@pytest.mark.parametrize("given_back", [False, True])
async def test_a_partition_is_read_as_far_as_its_outcomes_are_known_and_then_on(
    monkeypatch: pytest.MonkeyPatch, given_back: bool
) -> None:
    """
    Of more outcomes than fit the lowest are known first, and the others once those are passed; also after a rebalance
    that gives the partition back with a commit of ours: what is beyond the limit is in no memory.
    """
    monkeypatch.setattr(takeover, "RETRY_DELAY", 0.02)
    async with replica(monkeypatch, FEW) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(0, str(CommitMetadata(5.0, ANOTHERS)))
        ours.outputs.outcomes += [Outcome(SourceId(str(n)), PLACE, n, 2_000_000_000.0) for n in range(10)]
        await ours.take_over(PARTITION)
        if given_back:
            await ours.lose()
            await ours.take_over(PARTITION)

        assert await read_all(ours, 10) == [*range(10)]


async def test_a_log_that_began_anew_before_the_takeover_may_have_been_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Records of the new log come while the journal of the old one is read: what was started before does not go on.
    """
    monkeypatch.setattr(takeover, "RETRY_DELAY", 0.02)
    async with replica(monkeypatch) as ours:
        await ours.take_over(PARTITION)
        ours.member.fetch(7)
        await until(lambda: len(ours.records) == 1)
        before = ours.records[0].delivery.epoch
        await ours.lose()
        ours.member.unanswered_offsets = asyncio.Event()

        await ours.gain(PARTITION)
        free = ours.admission.free_records
        ours.member.fetch(9)
        ours.member.fetch(0)
        await until(lambda: ours.admission.free_records == free - 2)
        ours.member.unanswered_offsets.set()
        await until(lambda: len(ours.records) == 3)

        assert {record.delivery.epoch for record in ours.records[1:]} == {before + 1}
        assert not await ours.source.settled_owner(PLACE, before)


async def test_a_log_that_begins_anew_while_the_takeover_commits_is_not_owned_by_that_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    What is published of the new log is read first: records of it would be paid for and published again.
    """
    monkeypatch.setattr(takeover, "RETRY_DELAY", 0.02)
    async with replica(monkeypatch) as ours:
        ours.member.offsets[PARTITION] = OffsetAndMetadata(5, str(CommitMetadata(3_000_000_000.0, ANOTHERS)))
        ours.outputs.outcomes.append(Outcome(SourceId("0"), PLACE, 0, 2_000_000_000.0))
        ours.member.answers.clear()
        await ours.gain(PARTITION)
        await until(lambda: ours.ownership.state(PLACE) is State.PREPARED and ours.member.commits > 0)

        free = ours.admission.free_records
        ours.member.fetch(5)
        ours.member.fetch(0)
        await until(lambda: ours.admission.free_records == free - 2)
        ours.member.answers.set()
        await until(lambda: len(ours.records) == 2)

        assert ours.journal.holds(delivery(offset=0), SourceId("0"))


async def test_what_was_not_forgotten_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A partition that stays costs no reading: a rebalance is short for those who keep what they had.
    """
    async with replica(monkeypatch) as ours:
        await ours.take_over(PARTITION)
        ours.outputs.opened.clear()

        await ours.lose()
        await ours.take_over(PARTITION)

        assert ours.source.owns(PLACE, 1)


async def test_an_ownership_epoch_lasts_until_another_replica_may_have_had_the_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    What was begun goes on through a rebalance that gives the partition back, but not through one that gives it away,
    nor when another replica has committed meanwhile, though this one never heard of it.
    """
    async with replica(monkeypatch) as ours:
        await ours.take_over(PARTITION)
        ours.member.fetch(0)
        await until(lambda: len(ours.records) == 1)
        [first] = [record.delivery.epoch for record in ours.records]

        await ours.lose()
        await ours.take_over(PARTITION)
        given_back = await ours.source.settled_owner(PLACE, first)
        await ours.lose()
        ours.member.offsets[PARTITION] = OffsetAndMetadata(1, str(CommitMetadata(5.0, ANOTHERS)))
        ours.outputs.opened.clear()
        await ours.gain(PARTITION)
        ours.member.fetch(1)
        ours.outputs.opened.set()
        await until(lambda: len(ours.records) == 2)
        second = ours.records[1].delivery.epoch
        had_by_another = await ours.source.settled_owner(PLACE, first)
        still_ours = await ours.source.settled_owner(PLACE, second)
        await ours.lose()
        await ours.take_over()
        given_away = await ours.source.settled_owner(PLACE, second)
        await ours.lose()
        await ours.take_over(PARTITION)
        regained = await ours.source.settled_owner(PLACE, second)

        assert (given_back, had_by_another, still_ours, given_away, regained) == (True, False, True, False, False)


async def test_no_share_is_taken_by_counts_that_contradict_the_assignment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A broker may not have heard yet of partitions that the group has assigned already: it is asked again.
    """
    monkeypatch.setattr(takeover, "RETRY_DELAY", 0.02)
    async with replica(monkeypatch) as ours:
        ours.member.counted = {0}
        added = TopicPartition("uploads", 1)

        await ours.gain(PARTITION, added)
        looks = ours.member.looks_at_counts
        await until(lambda: ours.member.looks_at_counts >= looks + 3)
        before = ours.quota.share(SystemClock().now()).total
        ours.member.counted = {0, 1, 2, 3}
        await until(lambda: ours.quota.share(SystemClock().now()).total > 0)

        assert before == 0
        assert ours.quota.share(SystemClock().now()).total == 50


@pytest.mark.parametrize(
    ("assigned", "readable", "held", "seconds"),
    [
        (4, 4, 0, IDLE_POLL_TIMEOUT),
        (4, 4, 1, POLL_TIMEOUT),
        (4, 3, 0, POLL_TIMEOUT),
        (0, 0, 0, POLL_TIMEOUT),
        (4, 0, 0, SHORT_POLL_TIMEOUT),
        (4, 0, 9, SHORT_POLL_TIMEOUT),
    ],
)
def test_a_poll_is_long_only_where_nothing_but_a_record_can_matter(
    assigned: int, readable: int, held: int, seconds: float
) -> None:
    """
    What is paused, or held, may let another partition be read before a record comes; and so may one that is assigned.
    """
    assert poll_timeout(assigned, readable, held) == seconds
    assert SHORT_POLL_TIMEOUT < POLL_TIMEOUT < IDLE_POLL_TIMEOUT
