from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from consumer.fairness import FairQueue, ReservedCapacity, whole_parts
from consumer.waiting import Waiting

LIVE_AND_BACKFILL = {"live": 9.0, "backfill": 1.0}


@given(st.dictionaries(st.text(min_size=1), st.floats(0.1, 100), min_size=1, max_size=8), st.integers(1, 1000))
def test_whole_parts_sum_to_the_whole(weights: dict[str, float], whole: int) -> None:
    """
    Nothing is lost to rounding, and nobody is a whole call away from what the weight says.
    """
    parts = whole_parts(weights, whole)

    assert sum(parts.values()) == whole
    assert all(abs(parts[name] - whole * weight / sum(weights.values())) < 1 for name, weight in weights.items())


def test_lanes_that_wait_all_the_time_have_turns_by_weight() -> None:
    """
    Nine for one and one for the other, in every ten.
    """
    turns, served = FairQueue(LIVE_AND_BACKFILL), list[str]()

    for _ in range(100):
        served.append(turns.first(["backfill", "live"]))
        turns.served(served[-1])

    assert Counter(served) == {"live": 90, "backfill": 10}
    assert all(8 <= served[n : n + 10].count("live") <= 10 for n in range(90))


def test_a_lane_that_wakes_is_next_and_has_nothing_saved_up() -> None:
    """
    After the other lane was alone for long, the one that wakes has the next turn, and then its part and no more.
    """
    turns, served = FairQueue({"a": 1.0, "b": 1.0}), list[str]()
    for _ in range(50):
        turns.served("a")

    for _ in range(10):
        served.append(turns.first(["a", "b"]))
        turns.served(served[-1])

    assert served == ["b", "a"] * 5


def test_a_lane_without_weight_has_its_turn_when_no_other_waits() -> None:
    """
    What is left of a lane whose partitions have gone delays nobody.
    """
    turns = FairQueue({"a": 1.0, "b": 0.0})
    for _ in range(5):
        turns.served("a")

    assert turns.first(["a", "b"]) == "a"
    assert turns.first(["b"]) == "b"


@given(
    st.integers(1, 100),
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.1, 10), min_size=1),
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=200),
)
def test_no_lane_takes_what_is_reserved_for_another(
    size: int, weights: dict[str, float], moves: list[tuple[str, bool]]
) -> None:
    """
    However lanes take and give back, no more places are taken than there are, and each has its reserve left to take.
    """
    portions = ReservedCapacity(size, weights)
    reserves = {lane: _left_by_others(size, weights, lane) for lane in weights}
    for lane, takes in moves:
        if lane in weights and takes and portions.free(lane):
            portions.take(lane)
        elif lane in weights and not takes and portions.held_by(lane):
            portions.take(lane, -1)

        assert portions.held <= size
        assert all(portions.held_by(each) + portions.free(each) >= reserve for each, reserve in reserves.items())


def _left_by_others(size: int, weights: dict[str, float], lane: str) -> int:
    """Places that a lane can still take when all the others have taken all they may."""
    portions = ReservedCapacity(size, weights)
    for other in weights:
        if other != lane:
            portions.take(other, portions.free(other))
    return portions.free(lane)


def test_a_lane_alone_may_have_two_thirds() -> None:
    """
    A third is reserved by weight, so that a lane that wakes finds places; what is not is lent.
    """
    portions = ReservedCapacity(60, LIVE_AND_BACKFILL)

    alone = portions.free("backfill")
    portions.take("backfill", alone)

    assert alone == 60 - 18
    assert (portions.free("backfill"), portions.free("live")) == (0, 18)


def test_what_begins_next_is_of_the_lane_that_is_due_and_may() -> None:
    """
    Within a lane items begin in order; a lane that may not begin is passed over, and keeps its items.
    """
    waiting = Waiting[str](LIVE_AND_BACKFILL)
    waiting.add("backfill", ["b1", "b2"])
    waiting.add("live", ["l1", "l2"])

    begun = [waiting.next(lambda lane: True) for _ in range(2)]
    begun.append(waiting.next(lambda lane: lane == "live"))
    begun.append(waiting.next(lambda lane: lane == "live"))

    assert begun == ["l1", "b1", "l2", None]
    assert waiting.lanes == ["backfill"]


def test_what_is_dropped_does_not_begin() -> None:
    """
    Records of partitions that are gone are taken out of every lane, the others keep their order.
    """
    waiting = Waiting[int]({"a": 1.0, "b": 1.0})
    waiting.add("a", [1, 2, 3])
    waiting.add("b", [4, 5])

    dropped = waiting.drop(lambda item: item % 2 == 0)

    assert dropped == [2, 4]
    assert len(waiting) == 3
    assert [waiting.next(lambda lane: True) for _ in range(4)] == [1, 5, 3, None]


def test_all_that_waits_can_be_looked_at() -> None:
    """
    Of every lane, and nothing is taken out by it.
    """
    waiting = Waiting[int]({"a": 1.0, "b": 1.0})
    waiting.add("a", [1, 2])
    waiting.add("b", [3])

    assert sorted(waiting) == sorted(waiting) == [1, 2, 3]
