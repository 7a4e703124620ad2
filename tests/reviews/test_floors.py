"""Floors that newer verdicts set, as every replica knows them."""

from itertools import permutations
from typing import Any

import pytest

from consumer.records import Decision, Floor
from consumer.reviews.floors import Floors
from tests.reviews.made import published, verdict

OLD = published(verdict(1))
SCHEMAS = (b'{"schema":"moderation.person.v1"}', b'{"schema":"moderation.floor.v1"}')
NEVER, LATER = Floor("never", Decision.BLOCK), Floor("later", Decision.REVIEW)


def newer(sequence: int, floor: Floor | None, *, name: str = "", **members: Any) -> dict[str, Any]:
    """A verdict of a machine's that takes the place of another one about the same upload."""
    said = None if floor is None else {"rule": floor.rule, "decision": floor.decision.value}
    named = name or f"{sequence:032}"
    return {**OLD, "verdict_id": named, "supersedes": "v", "sequence": sequence, "floor": said, **members}


def noted(floors: Floors, said: dict[str, Any]) -> tuple[bytes, bytes] | None:
    """Take a verdict as `Carrying` does."""
    if (line := floors.line(said)) is not None:
        assert floors.read(line[1])
    return line


def test_the_newest_verdicts_floor_counts_for_every_older_one() -> None:
    """
    Over a chain too; not for one that is newer itself, and no longer once a newer one has none.
    """
    floors = Floors()
    noted(floors, newer(3, NEVER))

    assert floors.above(OLD) == NEVER
    assert floors.above(newer(2, None)) == NEVER
    assert floors.above(newer(4, None)) is None

    noted(floors, newer(4, None))
    assert floors.above(OLD) is None


def test_what_is_written_is_known_to_whoever_reads_it_in_any_order() -> None:
    """
    Of two verdicts with one sequence the stricter floor counts.
    """
    writing = Floors()
    made = [newer(2, LATER), newer(3, LATER, name="a"), newer(3, NEVER, name="b")]
    written = [found for each in made if (found := noted(writing, each)) is not None]

    assert len({key for key, _ in written}) == 3
    for order in permutations(written):
        reading = Floors()
        assert all(reading.read(value) for _, value in order)
        assert reading.above(OLD) == NEVER


@pytest.mark.parametrize(
    "said",
    [
        OLD,  # takes nobody's place
        newer(2, None),  # sets none, and none was set before
        newer(2, NEVER, decided_by="human"),
    ],
)
def test_most_verdicts_need_no_line(said: dict[str, Any]) -> None:
    """
    The topic of what people decided does not grow with every rollout.
    """
    floors = Floors()

    assert noted(floors, said) is None
    assert floors.above(OLD) is None


def test_a_floor_is_written_once() -> None:
    """
    The same verdict, read again after a restart, is no news to whoever has read what was written.
    """
    floors = Floors()

    assert noted(floors, newer(2, NEVER)) is not None
    assert noted(floors, newer(2, NEVER)) is None


@pytest.mark.parametrize("value", [b"", b"{", b"[]", *SCHEMAS])
def test_other_values_are_told_apart(value: bytes) -> None:
    """
    What people decided stands in the same topic.
    """
    assert not Floors().read(value)


def test_the_oldest_are_forgotten_and_counted() -> None:
    """
    Beyond the bound.
    """
    floors = Floors(most=2)
    for offset in range(3):
        noted(floors, newer(2, NEVER, event={**OLD["event"], "offset": offset}))

    assert floors.forgotten == 1
    assert floors.above({**OLD, "event": {**OLD["event"], "offset": 0}}) is None
    assert floors.above({**OLD, "event": {**OLD["event"], "offset": 2}}) == NEVER
