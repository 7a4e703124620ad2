"""Intervals, gates and what people decided."""

from random import Random
from typing import Any

import pytest

from consumer.policy.backtest.gates import Gates, judged
from consumer.policy.backtest.intervals import BLOCKS, resampled, wilson
from consumer.policy.backtest.people import People, TooManyDecisions


def drawn(rounds: int = 400) -> list[list[int]]:
    lot = Random(7)
    return [lot.choices(range(BLOCKS), k=BLOCKS) for _ in range(rounds)]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (8, 10, 0.4902, 0.9433), (900, 1000, 0.8798, 0.9171)],
)
def test_wilsons_interval(hits: int, of: int, low: float, high: float) -> None:
    """
    As the tables have it; it never leaves 0 to 1.
    """
    found = wilson(hits, of)

    assert found is not None
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (hits / of, low, high)


def test_of_nothing_there_is_no_share() -> None:
    """
    Nothing is said where nobody has looked.
    """
    assert wilson(0, 0) is None


def test_the_interval_of_a_count_is_as_wide_as_chance() -> None:
    """
    Of 2,560 events without a pattern it is some two roots wide to either side.
    """
    lot, column = Random(1), [0] * BLOCKS
    for _ in range(2_560):
        column[lot.randrange(BLOCKS)] += 1

    value, low, high = resampled(column, drawn(), 1.0)

    assert value == 2_560
    assert 2_560 - 135 < low < 2_560 - 65
    assert 2_560 + 65 < high < 2_560 + 135


def test_what_comes_together_makes_the_interval_wider() -> None:
    """
    Ten subjects with 256 images each say less than 2,560 with one each.
    """
    column = [0] * BLOCKS
    for at in range(10):
        column[at * 25] = 256

    value, low, high = resampled(column, drawn(), 1.0)

    assert value == 2_560
    assert high - low > 2_000


def test_what_was_never_seen_may_be_there_all_the_same() -> None:
    """
    Up to three of them, with 95 % certainty; and each of a tenth's sample stands for ten.
    """
    assert resampled([0] * BLOCKS, drawn(), 10.0) == (0.0, 0.0, 30.0)


def result(**changes: Any) -> dict[str, Any]:
    interval = {"value": 0.0, "low": 0.0, "high": 3.0}
    return {
        "sample": 1.0,
        "records": {"replayed": 100, "not_replayed": 0},
        "flips": {"to_pass": interval},
        "reviews": {"growth": {"value": 0.05, "low": 0.0, "high": 0.2}},
        "people": {"candidate": {"precision": {"value": 0.95, "low": 0.7, "high": 0.99}}},
        **changes,
    }


def held(gates: dict[str, float], **changes: Any) -> dict[str, bool]:
    return {each.name: each.held for each in judged(Gates.model_validate(gates), result(**changes))}


@pytest.mark.parametrize(
    ("gates", "changes", "expected"),
    [
        ({"max_flips_to_pass": 0}, {}, True),
        ({"max_flips_to_pass": 0}, {"sample": 0.1}, False),  # it may have missed some
        ({"max_review_growth": 0.1}, {}, True),
        ({"max_review_growth": 0.1}, {"sample": 0.1}, False),
        ({"max_review_growth": 0.01}, {}, False),
        ({"max_review_growth": 0.1}, {"reviews": {"growth": None}}, False),  # there were none
        ({"min_block_precision": 0.9}, {}, True),
        ({"min_block_precision": 0.96}, {}, False),
        ({"min_block_precision": 0.1}, {"people": {"candidate": {"precision": None}}}, False),
        ({"max_flips_to_pass": 0}, {"records": {"replayed": 80, "not_replayed": 20}}, False),
        ({"max_flips_to_pass": 0, "max_not_replayed": 0.3}, {"records": {"replayed": 80, "not_replayed": 20}}, True),
    ],
)
def test_a_gate_holds_where_it_was_measured(gates: Any, changes: Any, expected: bool) -> None:
    """
    What was not measured does not hold, nor what is said of too small a part.
    """
    assert all(held(gates, **changes).values()) is expected


def test_without_gates_nothing_is_judged() -> None:
    """
    The share that was not replayed is looked at beside others only.
    """
    assert held({}) == {}


def test_the_latest_decision_of_a_person_counts() -> None:
    """
    Whatever the order in which they are read; and memory is bounded.
    """
    people = People(most=1)
    decision = {"schema": "moderation.review.v1", "verdict_id": "0" * 32, "decided_at": "2026-01-02T00:00:00Z"}
    people.add({**decision, "decision": "remove"})
    people.add({**decision, "decision": "approve", "decided_at": "2026-01-01T00:00:00Z"})

    people.match("0" * 32, 8, "block")

    assert people.matched[True][8] == 1
    assert people.of_blocked == 1
    people.add({**decision, "decision": "escalate"})
    with pytest.raises(TooManyDecisions, match="more than 1 decisions"):
        people.add({**decision, "verdict_id": "1" * 32, "decision": "remove"})
