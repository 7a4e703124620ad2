import asyncio

import pytest
from aiokafka.errors import CommitFailedError
from prometheus_client import REGISTRY

from consumer.intake.committer import LAST_COMMIT_DEADLINE, Commit, Committer, commit_of
from consumer.intake.ledger import PartitionLedger
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.journal import Journal
from consumer.observability.heartbeat import PATIENCE
from consumer.records import Partition
from tests.rig.clock import ManualClock

FIRST, SECOND = Partition("uploads", 0), Partition("uploads", 1)


class Group:
    """A coordinator that takes some time for each commit, and keeps them."""

    def __init__(self, clock: ManualClock, seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.due: dict[Partition, tuple[int, str]] = {}
        self.commits: list[Commit] = []
        self.refused = 0
        self.under_way = 0
        self.proven: list[float] = []
        self.committer = Committer(lambda: dict(self.due), self.send, self.proven.append, 1.0, clock)

    async def send(self, commit: Commit) -> None:
        assert self.under_way == 0, "two commits at once"
        self.under_way += 1
        try:
            await self.clock.sleep(self.seconds)
        finally:
            self.under_way -= 1
        if self.refused:
            self.refused -= 1
            raise CommitFailedError("another generation")
        self.commits.append(commit)


async def test_a_commit_goes_out_every_interval_whether_anything_has_moved_or_not() -> None:
    """
    It is the proof of being a member: the moment that counts is when it was sent.
    """
    clock = ManualClock()
    group = Group(clock, seconds=0.25)
    group.due[FIRST] = (7, "mark")

    running = asyncio.ensure_future(group.committer.run())
    await clock.run(clock.sleep(3.9))
    running.cancel()

    assert group.commits == [{FIRST: (7, "mark")}] * 3
    assert group.proven == pytest.approx([1_001.0, 1_002.25, 1_003.5])


async def test_there_is_one_commit_at_a_time_and_the_next_says_what_is_due_then() -> None:
    """
    Who wants a commit while one is under way gets one of its own, with what has settled meanwhile.
    """
    clock = ManualClock()
    group = Group(clock, seconds=0.5)
    group.due[FIRST] = (1, "mark")

    async def settle_and_commit() -> None:
        await clock.sleep(0.1)
        group.due[FIRST] = (2, "mark")
        await group.committer.commit()

    await clock.run(asyncio.gather(group.committer.commit(), settle_and_commit(), settle_and_commit()))

    assert group.commits == [{FIRST: (1, "mark")}, {FIRST: (2, "mark")}, {FIRST: (2, "mark")}]


async def test_no_commit_goes_below_what_was_read_at_the_assignment() -> None:
    """
    A broker would take it. Other partitions are committed all the same.
    """
    clock = ManualClock()
    group = Group(clock)
    group.committer.begin_anew(FIRST, 10)
    group.due = {FIRST: (9, "mark"), SECOND: (3, "mark")}

    await clock.run(group.committer.commit())

    assert group.commits == [{SECOND: (3, "mark")}]


async def test_no_commit_goes_below_an_earlier_one_until_the_partition_begins_anew() -> None:
    """
    Only a log that was deleted and made again begins lower.
    """
    clock = ManualClock()
    group = Group(clock)
    for offset in (10, 4):
        group.due[FIRST] = (offset, "mark")
        await clock.run(group.committer.commit())
    before = list(group.commits)

    group.committer.begin_anew(FIRST, 0)
    await clock.run(group.committer.commit())

    assert before == [{FIRST: (10, "mark")}]
    assert group.commits[1:] == [{FIRST: (4, "mark")}]


async def test_nothing_is_committed_without_an_assignment() -> None:
    """
    With nothing due nothing is sent, and that is no failure.
    """
    clock = ManualClock()
    group = Group(clock)

    assert await clock.run(group.committer.commit())
    assert group.commits == []


async def test_a_refused_commit_proves_nothing_and_the_next_one_is_tried() -> None:
    """
    What was refused counts as not committed.
    """
    clock = ManualClock()
    group = Group(clock)
    group.refused = 1
    group.due[FIRST] = (5, "mark")

    refused = await clock.run(group.committer.commit())
    proven = list(group.proven)
    taken = await clock.run(group.committer.commit())

    assert (refused, taken) == (False, True)
    assert proven == []
    assert group.commits == [{FIRST: (5, "mark")}]


async def test_the_last_commit_waits_for_the_one_under_way_but_not_for_ever() -> None:
    """
    A revocation does not hang on a coordinator that does not answer.
    """
    clock = ManualClock()
    group = Group(clock, seconds=LAST_COMMIT_DEADLINE * 10)
    group.due[FIRST] = (5, "mark")
    committing = asyncio.ensure_future(group.committer.commit())
    await asyncio.sleep(0)

    waiting = asyncio.ensure_future(group.committer.last())
    await clock.run(clock.sleep(LAST_COMMIT_DEADLINE * 2))
    gave_up = waiting.done()
    group.committer.abandon()
    await asyncio.wait([committing])

    assert gave_up
    assert group.commits == []


async def test_the_age_of_the_last_commit_grows_by_itself() -> None:
    """
    From the start, and from each commit that is acknowledged; one that is refused changes nothing.
    """
    clock = ManualClock()
    group = Group(clock)
    group.due[FIRST] = (7, "mark")

    def age() -> float | None:
        return REGISTRY.get_sample_value("moderation_commit_age_seconds")

    await clock.run(clock.sleep(5.0))
    before = age()
    await clock.run(group.committer.commit())
    acknowledged = age()
    await clock.run(clock.sleep(2.0))
    group.refused = 1
    await clock.run(group.committer.commit())

    assert (before, acknowledged, age()) == (5.0, 0.0, 2.0)


async def test_a_commit_loop_that_waits_for_the_brokers_is_alive() -> None:
    """
    All brokers away for ten minutes: the commit waits for a coordinator, and a restart would not bring one. It is
    alive after that too, though the loop has not come round yet.
    """
    clock = ManualClock()
    group = Group(clock)
    group.due[FIRST] = (7, "mark")

    async def send(commit: Commit) -> None:
        with group.committer.heartbeat.resting():
            await clock.sleep(600.0)
        await clock.sleep(30.0)

    group.committer = Committer(lambda: dict(group.due), send, group.proven.append, 1.0, clock)
    running = asyncio.ensure_future(group.committer.run())
    complaints = []
    for _ in range(70):
        await clock.run(clock.sleep(10.0))
        complaints += group.committer.heartbeat.complaints()
    running.cancel()

    assert complaints == []
    assert group.proven == [1_001.0]


async def test_a_commit_loop_that_died_or_hangs_is_stalled() -> None:
    """
    A loop that has ended, and a commit that neither ends nor waits for the brokers.
    """
    clock = ManualClock()

    async def hang(commit: Commit) -> None:
        await clock.sleep(100_000.0)

    dead = Committer(dict, hang, print, 1.0, clock)
    hanging = Committer(lambda: {FIRST: (7, "mark")}, hang, print, 1.0, clock)
    running = [asyncio.ensure_future(each.run()) for each in (dead, hanging)]
    await asyncio.sleep(0)
    running[0].cancel()
    await clock.run(clock.sleep(PATIENCE))
    in_time = dead.heartbeat.complaints() + hanging.heartbeat.complaints()
    await clock.run(clock.sleep(3.0))

    assert in_time == []
    assert (
        dead.heartbeat.complaints()
        == hanging.heartbeat.complaints()
        == ["the commit loop has not completed an iteration for 63 s"]
    )
    running[1].cancel()
    hanging.abandon()


async def test_a_bug_in_what_is_due_does_not_end_the_committing() -> None:
    """
    The next second is another chance; a committer that has ended would leave the lease to run out.
    """
    clock = ManualClock()
    group = Group(clock)
    bugs = [KeyError("bug")]

    def due() -> Commit:
        if bugs:
            raise bugs.pop()
        return {FIRST: (7, "mark")}

    committer = Committer(due, group.send, group.proven.append, 1.0, clock)
    running = asyncio.ensure_future(committer.run())
    await clock.run(clock.sleep(2.5))
    running.cancel()

    assert group.commits == [{FIRST: (7, "mark")}]


async def test_a_commit_that_ends_after_its_partition_began_anew_raises_no_floor() -> None:
    """
    Its offset is the old log's; the new one's lower offsets are committed all the same.
    """
    clock = ManualClock()
    group = Group(clock, seconds=1.0)
    group.due[FIRST] = (500, "mark")

    async def begin_anew() -> None:
        await clock.sleep(0.5)
        group.committer.begin_anew(FIRST, 0)
        group.due[FIRST] = (3, "mark")
        await group.committer.commit()

    await clock.run(asyncio.gather(group.committer.commit(), begin_anew()))

    assert group.commits == [{FIRST: (500, "mark")}, {FIRST: (3, "mark")}]


def test_the_journal_is_read_from_earlier_by_as_much_as_the_brokers_clock_is_behind() -> None:
    """
    Outputs with LogAppendTime are dated by brokers: an outcome may look older than its upload. Never before 1970.
    """
    ledger = PartitionLedger()
    ledger.open(7, 100.0)

    moments = [
        CommitMetadata.read(commit_of(FIRST, ledger, Journal(), "0" * 8, 200.0, behind=behind)[1])
        for behind in (0.0, 30.0, 500.0)
    ]

    assert [each.journal_from for each in moments if each] == [100.0, 70.0, 0.0]
