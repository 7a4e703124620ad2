"""What people's decisions lead to: floors, leads, contradictions, and machines that come later."""

import tracemalloc
from itertools import permutations
from typing import Any

import pytest

from consumer.errors import Undecodable
from consumer.records import Decision, Floor
from consumer.reviews.judging import Escalated, Final, Superseded, conflict, contradicted, judge
from consumer.reviews.memory import Memory, Remembered, content_key, merged, name_key, read, written
from tests.reviews.made import decided, published, remembered, verdict

PASS, REVIEW, BLOCK = Decision.PASS, Decision.REVIEW, Decision.BLOCK
NEVER = Floor("never", BLOCK)
BLOCKED, PINNED = published(verdict(1)), published(verdict(2, "terror"))


def test_a_decision_becomes_a_final_verdict_or_changes_nothing() -> None:
    """approve passes, remove blocks, escalate leaves the verdict as it is."""
    assert judge(decided(), BLOCKED, ()) == Final(PASS)
    assert judge(decided(decision="remove"), BLOCKED, ()) == Final(BLOCK)
    assert judge(decided(decision="escalate"), PINNED, ()) == Escalated()


@pytest.mark.parametrize(
    ("override", "reviewer", "leads", "expected"),
    [
        (False, "lead", ("lead",), "below_floor"),
        (True, "r-1", ("lead",), "not_a_lead"),
        (True, "lead", (), "not_a_lead"),
        (True, "lead", ("lead",), Final(PASS, NEVER)),
    ],
)
def test_a_floor_gives_way_to_a_leads_override_alone(
    override: bool, reviewer: str, leads: tuple[str, ...], expected: Any
) -> None:
    """A pinned rule's floor needs both: a reviewer who is a lead, and the word for it."""
    made = decided(override_pin=override, reviewer=reviewer)
    if isinstance(expected, Final):
        assert judge(made, PINNED, leads) == expected
        return
    with pytest.raises(Undecodable) as refused:
        judge(made, PINNED, leads)
    assert refused.value.reason == expected


def test_the_floor_of_what_took_the_verdicts_place_counts_as_well() -> None:
    """A policy has pinned it since the reviewer looked: the approval needs a lead."""
    with pytest.raises(Undecodable) as refused:
        judge(decided(), BLOCKED, (), NEVER)
    assert refused.value.reason == "below_floor"
    assert judge(decided(reviewer="lead", override_pin=True), BLOCKED, ("lead",), NEVER) == Final(PASS, NEVER)


def test_of_verdicts_that_were_superseded_the_latest_are_known() -> None:
    """What is remembered of them is bounded."""
    superseded = Superseded(most=2)
    for each in "abc":
        superseded.note({"supersedes": each})
    assert [each in superseded for each in "abc"] == [False, True, True]


def test_a_provisional_verdict_cannot_be_decided_about() -> None:
    """It says nothing of the image, nor of a floor: the final one behind it does."""
    with pytest.raises(Undecodable) as refused:
        judge(decided(decision="remove"), {**BLOCKED, "provisional": True}, ())
    assert refused.value.reason == "provisional_verdict"


def test_a_machine_contradicts_what_was_decided_before() -> None:
    """In either direction; not a person's verdict, a provisional one, one that is older, or one that says the same."""
    passed = published(verdict(3, "fine", "low"))
    approved, removed = remembered(10.0), remembered(10.0, BLOCK)
    assert contradicted(BLOCKED, 11.0, approved, None) == approved
    assert contradicted(passed, 11.0, removed, None) == removed
    assert contradicted(BLOCKED, 9.0, approved, None) is None
    assert contradicted(passed, 11.0, approved, None) is None
    assert contradicted({**BLOCKED, "decided_by": "human"}, 11.0, approved, None) is None
    assert contradicted({**BLOCKED, "provisional": True}, 11.0, approved, None) is None
    assert contradicted(BLOCKED, 11.0, None, None) is None


def test_an_approval_that_is_remembered_goes_below_no_floor_but_the_one_that_was_overridden() -> None:
    """A lead overrode one rule; another one's floor stands."""
    assert contradicted(PINNED, 11.0, remembered(), None) is None
    assert contradicted(PINNED, 11.0, remembered(floor="other"), None) is None
    overridden = remembered(floor="never")
    assert contradicted(PINNED, 11.0, overridden, None) == overridden


def test_of_a_name_a_removal_holds_and_an_approval_never() -> None:
    """What an uploader can put under a name is not what was looked at."""
    passed = published(verdict(3, "fine", "low"))
    removed = remembered(10.0, BLOCK)
    assert contradicted(BLOCKED, 11.0, None, remembered()) is None
    assert contradicted(passed, 11.0, None, removed) == removed
    assert contradicted(passed, 11.0, remembered(10.5), removed) is None  # these very bytes were approved later


def test_an_approval_holds_for_known_content_or_for_the_upload_alone() -> None:
    """
    By the hash of bytes that were judged, whatever the name; without it by the upload, whatever is claimed. A tenant's
    decision is no other's.
    """
    same = [published(verdict(each, sha256="a" * 64, name=name)) for each, name in ((1, "a"), (2, "b"))]
    assert content_key(same[0]) == content_key(same[1])
    assert content_key(same[0]) != content_key({**same[0], "tenant": "other"})
    one, overwritten = published(verdict(1)), published(verdict(2))
    claimed: dict[str, Any] = {
        "image": {**one["image"], "sha256_claimed": "c" * 64, "etag": "e"},
        "identity": "event:e-1/0",
    }
    assert name_key(one) == name_key(overwritten)
    assert content_key({**one, **claimed}) != content_key({**overwritten, **claimed})
    assert content_key({**one, "sequence": 2, "verdict_id": "later"}) == content_key(one)


@pytest.mark.parametrize("order", [list(each) for each in permutations(range(3))])
def test_which_decision_holds_does_not_depend_on_the_order_of_arrival(order: list[int]) -> None:
    """The latest one, and of two about the same verdict the stricter."""
    several = [remembered(1.0, BLOCK, verdict_id="v1"), remembered(2.0, verdict_id="v2"), remembered(3.0, BLOCK)]
    assert _all_merged([several[each] for each in order]) == several[2]
    same = [remembered(1.0, BLOCK), remembered(2.0), remembered(3.0)]
    held = _all_merged([same[each] for each in order])
    assert held is not None
    assert held.decision is BLOCK


def _all_merged(several: list[Remembered]) -> Remembered | None:
    held = None
    for each in several:
        held = merged(held, each)
    return held


def test_conflicts_are_told_apart() -> None:
    """Said and counted: the same again, a contradiction, an overruling, and what was superseded meanwhile."""
    known = remembered()
    assert conflict(decided(), None, is_superseded=False) == "none"
    assert conflict(decided(), known, is_superseded=False) == "again"
    assert conflict(decided(decision="remove"), known, is_superseded=True) == "contradicting"
    assert conflict(decided("w", "remove"), known, is_superseded=False) == "overruling"
    assert conflict(decided("w"), None, is_superseded=True) == "superseded"


def test_what_is_remembered_is_written_and_read_alike() -> None:
    """And what is no such record is nothing."""
    for each in (remembered(), remembered(3.0, BLOCK, floor="never")):
        assert read(written(each)) == each
    for value in (b"", b"{}", b"[]", b'{"schema":"moderation.person.v1"}', written(remembered())[:-9]):
        assert read(value) is None


def test_the_oldest_are_forgotten_beyond_the_bound_and_counted() -> None:
    """By days; what is older than the time for which decisions hold, is gone without being counted."""
    day = 86_400.0
    memory = Memory(most=3, keep=10 * day)
    for each in (3, 1, 2, 4):
        memory.note(b"%d" % each, remembered(each * day), now=4 * day)
    assert (len(memory), memory.forgotten, memory.of(b"1", 4 * day)) == (3, 1, None)
    assert memory.of(b"4", 4 * day) is not None
    assert memory.of(b"2", 13 * day) is None
    memory.note(b"9", remembered(14 * day), now=14 * day)
    assert (len(memory), memory.forgotten) == (2, 1)
    for key in (b"4", b"9"):
        memory.forget(key)
    assert (len(memory), memory.size) == (0, 0)


def test_what_is_remembered_takes_the_memory_that_is_said() -> None:
    """No more than the metric's bytes, and those are about 500 a decision: a million are 500 MiB."""
    tracemalloc.start()
    memory, before = Memory(most=2_000, keep=1e9), tracemalloc.get_traced_memory()[0]
    for each in range(2_000):
        known = remembered(each * 60.0, verdict_id=f"{each:032}", reviewer="r-12345678", decided_at="2" * 24)
        memory.note(f"{each:016}".encode(), known, now=0.0)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken <= memory.size <= 600 * len(memory)
