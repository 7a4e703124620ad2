"""
Ledger, journal and mark together: one partition, its owners, and their crashes, as values and without Kafka.

A schedule is random: records are admitted, called, answered and published in any order, committed now and then; owners
crash, or lose the partition and get it back, at any step. Their clocks differ. The journal may have room for a few
outcomes only: then an owner knows a window of them, reads on to its end, and reads the outputs again for the next.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from consumer.intake.committer import commit_of
from consumer.intake.ledger import PartitionLedger
from consumer.intake.windows import Windows
from consumer.journal.commit_metadata import CommitMetadata, must_be_read
from consumer.journal.journal import Journal
from consumer.records import Partition, SourceId
from tests.rig.events import delivery

PLACE = Partition("uploads", 0)
SKEW = 2.0  # seconds: the setting
SCHEDULES = 4_000
RECORDS = 40
WINDOW = 8
ROOMY = 1_000


@dataclass
class World:
    """Kafka and the provider: what outlives every process."""

    committed: tuple[int, str] | None = None
    outputs: list[tuple[float, int]] = field(default_factory=list)  # when and which offset
    calls: list[int] = field(default_factory=list)
    time: float = 1_000.0
    windows: int = 0  # of owners, that were not the whole of the journal


@dataclass
class Owner:
    """A process that has the partition, and loses it in a crash or a rebalance."""

    name: str
    skew: float
    journal: Journal = field(default_factory=Journal)
    ledger: PartitionLedger = field(default_factory=PartitionLedger)
    next_offset: int = 0
    in_flight: set[int] = field(default_factory=set)  # called and not published
    opened: list[int] = field(default_factory=list)  # admitted and not settled in this assignment
    most: int = ROOMY  # outcomes that the journal has room for
    pays: bool = False  # what is beyond that room is taken for not published
    limit: float = inf  # from here on outcomes may be published that are not in the journal, …
    unknown_since: float = inf  # … none of which is older
    windows: int = 0  # that were not the whole of it

    def now(self, world: World) -> float:
        return world.time + self.skew

    def take_over(self, world: World, *, reads_journal: bool) -> None:
        """Begin an assignment, as `KafkaSource` does."""
        offset, metadata = world.committed or (0, "")
        commit = CommitMetadata.read(metadata)
        since = None if commit is None else must_be_read(commit, self.name if self.limit == inf else None)
        if since is not None and reads_journal:
            self.read_back(world, since, offset)
        self.ledger = PartitionLedger()
        self.ledger.begin(offset)
        self.next_offset, self.opened = offset, []
        self.commit(world)

    def read_back(self, world: World, since: float, begin: int) -> None:
        """Fill the journal with what is published of records from `begin` on, as far as there is room."""
        windows = Windows(self.journal, {PLACE: range(begin, 2**62)}, self.most)
        for at, known in world.outputs:
            if at >= since - SKEW:
                windows.note(PLACE, known, SourceId("image"), at)
        limit = inf if self.pays else windows.limits.get(PLACE, inf)
        self.limit, self.unknown_since = limit, inf if limit == inf else since
        self.windows += limit != inf

    def read_next_window(self, world: World) -> None:
        """Once all has been read whose outcomes are known, and is committed."""
        if self.next_offset >= self.limit and self.ledger.watermark == self.next_offset:
            self.commit(world)
            self.read_back(world, self.unknown_since, int(self.limit))

    def commit(self, world: World) -> None:
        now = self.now(world)
        offset, metadata = commit_of(PLACE, self.ledger, self.journal, self.name, now, self.unknown_since)
        world.committed = (offset, metadata)
        self.journal.forget(PLACE, offset)

    def admit(self, world: World) -> None:
        if self.next_offset == RECORDS or self.next_offset >= self.limit or len(self.opened) == WINDOW:
            return
        self.ledger.open(self.next_offset, self.now(world))
        self.opened.append(self.next_offset)
        self.next_offset += 1

    def call(self, world: World, offset: int) -> None:
        if self.journal.holds(delivery(offset=offset), SourceId("image")):
            self.settle(offset)
        elif offset not in self.in_flight:
            world.calls.append(offset)
            self.in_flight.add(offset)

    def publish(self, world: World, offset: int) -> None:
        began = self.now(world)
        world.time += 0.001
        world.outputs.append((self.now(world), offset))
        self.journal.note(PLACE, offset, SourceId("image"), began)
        self.in_flight.discard(offset)
        if offset in self.opened:
            self.settle(offset)

    def settle(self, offset: int) -> None:
        self.ledger.settle(offset)
        self.opened.remove(offset)


class ShortJournal(Journal):
    """One that a commit's mark takes no notice of."""

    def earliest(self, partition: Partition, offset: int) -> float:
        return inf


def play(
    seed: int,
    *,
    reads_journal: bool = True,
    journal: Callable[[], Journal] = Journal,
    most: int = ROOMY,
    pays: bool = False,
) -> tuple[World, set[int]]:
    """One schedule to its end; returns the world and what was in flight at the crashes."""
    dice = random.Random(seed)
    world, lost = World(), set[int]()
    owners = iter(range(100))

    def another() -> Owner:
        name, skew = f"{next(owners):08x}", dice.uniform(-SKEW / 2, SKEW / 2)
        owner = Owner(name, skew, journal(), most=most, pays=pays)
        owner.take_over(world, reads_journal=reads_journal)
        return owner

    owner = another()
    crashes = dice.randint(0, 6)
    while owner.ledger.watermark != RECORDS:
        world.time += dice.choice((0.001, 0.1, 3.0))
        match dice.randrange(12):
            case 0 | 1 | 2:
                owner.admit(world)
            case 3 | 4 | 5 if owner.opened:
                owner.call(world, dice.choice(owner.opened))
            case 6 | 7 | 8 if owner.in_flight:
                owner.publish(world, dice.choice(sorted(owner.in_flight)))
            case 9:
                owner.commit(world)
                owner.read_next_window(world)
            case 10 if dice.random() < 0.3:  # revoked and given back: what is in flight stays
                owner.commit(world)
                owner.take_over(world, reads_journal=reads_journal)
            case 11 if crashes and dice.random() < 0.4:
                crashes -= 1
                lost |= owner.in_flight
                world.windows += owner.windows
                owner = another()
    world.windows += owner.windows
    return world, lost


def test_no_schedule_of_crashes_publishes_twice_or_pays_for_more_than_was_in_flight() -> None:
    """
    Thousands of schedules of up to six crashes: every record has one outcome, and only what was in flight at a crash is
    called about again.
    """
    for seed in range(SCHEDULES):
        world, lost = play(seed)

        published = sorted(offset for _, offset in world.outputs)
        assert published == list(range(RECORDS)), f"seed {seed}"
        twice = {offset for offset in world.calls if world.calls.count(offset) > 1}
        assert twice <= lost, f"seed {seed}"


def test_no_schedule_does_where_the_journal_has_room_for_a_few_outcomes() -> None:
    """
    The same with windows of one to three outcomes: each owner reads on as far as it knows, and then further.
    """
    windows = 0
    for seed in range(SCHEDULES):
        world, lost = play(seed, most=1 + seed % 3)
        windows += world.windows

        assert sorted(offset for _, offset in world.outputs) == list(range(RECORDS)), f"seed {seed}"
        assert {offset for offset in world.calls if world.calls.count(offset) > 1} <= lost, f"seed {seed}"
    assert windows > SCHEDULES / 2


def test_who_pays_instead_of_waiting_publishes_twice() -> None:
    """
    The windows above are small enough to tell: an owner that takes what does not fit for not published repeats it.
    """
    doubled = sum(len(world.outputs) > RECORDS for world, _ in (play(s, most=1, pays=True) for s in range(1_000)))

    assert doubled > 0


def test_without_the_journal_schedules_fail() -> None:
    """
    The schedules above are hard enough to tell: without the journal some publish twice.
    """
    doubled = sum(len(world.outputs) > RECORDS for world, _ in (play(s, reads_journal=False) for s in range(300)))

    assert doubled > 100


def test_without_the_predecessors_mark_schedules_fail() -> None:
    """
    A mark that forgets what the predecessor published is not enough: a second crash would publish it again.
    """
    doubled = sum(len(world.outputs) > RECORDS for world, _ in (play(s, journal=ShortJournal) for s in range(1_000)))

    assert doubled > 0
