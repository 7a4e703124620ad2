"""Where partitions start of which a stranger committed an offset."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.config.kafka import KafkaSettings
from consumer.config.operation import AdmissionSettings
from consumer.fairness import DEFAULT
from consumer.intake.admission import Admission
from consumer.intake.bases import FIRST_SPAN, Base, bases_since, find_bases
from consumer.intake.foreign_commits import ForeignCommits, Held, Policy, decide
from consumer.intake.ownership import Ownership
from consumer.intake.partitions import Partitions
from consumer.intake.starts import Start
from consumer.journal.commit_metadata import BEGINNING, CommitMetadata
from consumer.journal.journal import Journal
from consumer.journal.reader import Outcome, Wants
from consumer.journal.signatures import CommitMark
from consumer.records import Partition, SourceId
from tests.rig.clock import ManualClock

NOW = 1_800_000_000.0  # unix seconds
SKEW = 5.0
FIRST, SECOND = Partition("uploads", 0), Partition("uploads", 1)
JUDGED = Base(CommitMark(40, 77.0), at=100.0)
ACCEPTED = Base(CommitMark(60, BEGINNING), at=200.0, is_acceptance=True)


def said(offset: int, at: float, partition: Partition = FIRST, *, written: float | None = None) -> "Written":
    """An outcome whose publisher had committed that offset, signed at a moment, and in the topic at another."""
    outcome = Outcome(SourceId("1f"), partition, offset + 3, at, CommitMark(offset, at - 10))
    return Written(outcome, at if written is None else written)


@dataclass(frozen=True, slots=True)
class Written:
    """An outcome with the timestamp of its record."""

    outcome: Outcome
    timestamp: float


@dataclass
class Outputs:
    """The output topics, and since when they were read."""

    written: Sequence[Written]
    read_since: list[float] = field(default_factory=list)

    def margin(self) -> float:
        return SKEW

    async def read(self, since: float, wants: Wants) -> AsyncGenerator[Sequence[Outcome]]:
        self.read_since.append(since)
        for each in self.written:
            outcome = each.outcome
            if each.timestamp >= since - SKEW:
                yield [outcome] if wants(outcome.id, outcome.partition, outcome.offset) else []


async def bases_of(*written: Written, most: int = 1_000, wanted: Sequence[Partition] = (FIRST,)) -> dict[str, int]:
    """What counts as committed of each partition, by its number."""
    found = await find_bases(Outputs(written), wanted, NOW, most, lambda: True)  # type: ignore[arg-type]
    return {str(partition.number): base.committed.offset for partition, base in found.items()}


@pytest.mark.parametrize(
    ("policy", "committed", "base", "start"),
    [
        ("rejudge", 59, JUDGED, Start(40, 77.0, others=True, moved=True)),
        ("rejudge", 50, JUDGED, Start(40, 77.0, others=True, moved=True)),
        ("rejudge", 3, JUDGED, Start(40, 77.0, others=True, moved=True)),  # set back: what is judged stays judged
        ("rejudge", 60, ACCEPTED, Start(60, BEGINNING, others=True)),
        (
            "rejudge",
            2**60,
            ACCEPTED,
            Start(60, BEGINNING, others=True, moved=True),
        ),  # no record is behind the log's end
        ("rejudge", 65, ACCEPTED, Start(60, BEGINNING, others=True, moved=True)),  # a stranger came once more
        ("hold", 60, ACCEPTED, Start(60, BEGINNING, others=True)),
        ("accept", 59, None, Start(59, BEGINNING, others=True)),
        ("accept", 59, JUDGED, Start(59, BEGINNING, others=True)),
    ],
)
def test_where_a_partition_starts(policy: Policy, committed: int, base: Base | None, start: Start) -> None:
    """
    Where its last genuine word says, unless that is an operator's word about this very commit, or all are accepted.
    """
    assert decide(policy, 20, committed, 65, base) == start


@pytest.mark.parametrize(
    ("policy", "committed", "base", "why"),
    [
        ("rejudge", 61, JUDGED, "21 records lie in between"),
        ("rejudge", 59, None, "nothing says"),
        ("hold", 41, JUDGED, "hold"),
        ("hold", 61, ACCEPTED, "hold"),
        ("hold", 41, None, "hold"),
    ],
)
def test_when_a_partition_is_held(policy: Policy, committed: int, base: Base | None, why: str) -> None:
    """
    Where an operator wants to decide, where nothing is proven, and where more would be looked at than is allowed.
    """
    decided = decide(policy, 20, committed, 65, base)

    assert isinstance(decided, Held)
    assert why in decided.reason


async def test_the_word_that_was_said_last_counts() -> None:
    """
    Not the highest: an operator may have set the group back. In whatever order they stand in the topics.
    """
    assert await bases_of(said(70, NOW - 30), said(50, NOW - 10), said(60, NOW - 20)) == {"0": 50}


async def test_an_old_outcome_that_is_written_again_says_nothing_new() -> None:
    """
    Whoever joins and writes could have the service read for as long as that is ago.
    """
    replayed = said(1, NOW - 86_400, written=NOW - 1)

    assert await bases_of(said(50, NOW - 600), replayed) == {"0": 50}


async def test_only_as_much_is_read_as_a_base_needs() -> None:
    """
    The last minute where each partition has published in it; four times as much as before otherwise, up to everything.
    """
    young, older = Outputs([said(50, NOW - 10)]), Outputs([said(50, NOW - 200), said(50, NOW - 10, SECOND)])
    none = Outputs([])
    for outputs in (young, older, none):
        await find_bases(outputs, [FIRST], NOW, 1_000, lambda: True)  # type: ignore[arg-type]

    assert young.read_since == [NOW - FIRST_SPAN]
    assert older.read_since == [NOW - FIRST_SPAN, NOW - 4 * FIRST_SPAN]
    assert none.read_since[-1] == BEGINNING
    assert len(none.read_since) == 9


async def test_no_more_is_read_than_fits() -> None:
    """
    Among so many outcomes of other partitions nothing is found, and the partition has no base.
    """
    others = [said(50, NOW - 100 + number / 100, SECOND) for number in range(2_000)]
    outputs = Outputs([said(40, NOW - 300), *others])

    found = await find_bases(outputs, [FIRST], NOW, 500, lambda: True)  # type: ignore[arg-type]

    assert found == {}
    assert len(outputs.read_since) == 1 + 1


async def test_unsigned_outcomes_are_no_base() -> None:
    """
    They do not say what was committed, and anybody could have written them.
    """
    outcome = Outcome(SourceId("1f"), FIRST, 7, NOW - 1)
    found, read = await bases_since(Outputs([Written(outcome, NOW - 1)]), [FIRST], 0.0, inf, lambda: True)  # type: ignore[arg-type]

    assert (found, read) == ({}, 1)


class Replica:
    """What one process makes of foreign commits."""

    def __init__(self, *written: Written, **changes: Any) -> None:
        self.clock = ManualClock(NOW)
        self.outputs = Outputs(list(written))
        ownership = Ownership(6.0)
        lanes = {"uploads": DEFAULT}
        self.partitions = Partitions(ownership, Journal(), Admission(AdmissionSettings()), lanes, 100, self.clock)
        self.partitions.assign([FIRST, SECOND])
        outputs: Any = self.outputs
        self.foreign = ForeignCommits(KafkaSettings(**changes), self.partitions, outputs, 1_000, self.clock)

    async def starts(self, *committed: Partition) -> Mapping[Partition, Start]:
        """Where partitions start of which a stranger committed offset 59."""
        commits = {each: Start(59, foreign=True) for each in committed}
        return await self.foreign.starts(commits, dict.fromkeys(committed, 70), lambda: True)


async def test_what_a_process_has_committed_itself_is_proven() -> None:
    """
    Where nothing was published since, or nothing that is kept; an outcome that was published later says more.
    """
    replica = Replica()
    replica.partitions.committed({FIRST: (30, str(CommitMetadata(77.0, "0123abcd")))})
    alone = await replica.starts(FIRST)
    replica.clock.time += 120.0
    replica.outputs.written = [said(50, NOW + 100)]
    later = await replica.starts(FIRST)

    assert alone == {FIRST: Start(30, 77.0, others=True, moved=True)}
    assert later == {FIRST: Start(50, NOW + 90, others=True, moved=True)}


async def test_the_client_is_sent_where_an_accepted_commit_says() -> None:
    """
    It asks for the committed offset by itself, and a stranger may have committed another one meanwhile.
    """
    accepts = Replica(foreign_commits="accept")
    acceptance = Outcome(SourceId("1f"), FIRST, 59, NOW - 1, CommitMark(59, BEGINNING), is_acceptance=True)
    accepted = Replica(Written(acceptance, NOW - 1))

    for replica in (accepts, accepted):
        assert await replica.starts(FIRST) == {FIRST: Start(59, BEGINNING, others=True, moved=True)}


async def test_a_held_partition_is_looked_after_every_few_seconds() -> None:
    """
    Only for what was published since the last look, and each is said once; the rest of the partitions start.
    """
    replica = Replica(said(50, NOW - 10, SECOND))
    with capture_logs() as logs:
        for _ in range(12):
            assert await replica.starts(FIRST, SECOND) == {SECOND: Start(50, NOW - 20, others=True, moved=True)}
            replica.clock.time += 1.0
    looks = [since for since in replica.outputs.read_since if since >= NOW]
    [reason] = replica.foreign.reasons()

    assert looks == [NOW, NOW + 5]
    assert len([line for line in logs if line["action"] == "held"]) == 1
    assert "uploads/0 is held" in reason


async def test_a_partition_whose_commit_is_ours_again_is_not_held() -> None:
    """
    Another replica had it meanwhile, and went on by an operator's word.
    """
    replica = Replica(foreign_commits="hold")
    assert await replica.starts(FIRST) == {}
    held = [*replica.foreign.reasons()]

    await replica.starts()

    assert len(held) == 1
    assert [*replica.foreign.reasons()] == []
