"""Which uploads are overdue, and how many are told of in a minute."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.deadline.due import MINUTE, Deadlines, PerMinute
from consumer.fairness import Lanes
from consumer.records import Delivery
from tests.rig.events import delivery

LANES = Lanes({"live": 3.0, "backfill": 1.0}, {"uploads": "live", "old": "backfill"})
WALL = 1_763_632_801.0  # when `delivery` was read


QUARTERS = st.integers(0, 12).map(lambda quarters: quarters / 4)
"""Seconds that floats of any size can hold."""


def read(offset: int, topic: str = "uploads", received: float = WALL) -> Delivery:
    return replace(delivery(offset=offset), topic=topic, received=received)


def overdue(deadlines: Deadlines, open_now: list[Delivery], now: float, wall: float = WALL) -> list[int]:
    return [each.delivery.offset for each in deadlines.overdue(open_now, now, wall)]


@settings(max_examples=50)
@given(st.integers(1, 5), st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_has_more_than_its_places(most: int, steps: list[float]) -> None:
    """
    Whenever places are asked for: any sixty seconds, not only those of a clock's minutes. And none is kept back.
    """
    room, now = PerMinute(most), 0.0
    taken: list[float] = []
    for step in steps:
        now += step
        within = sum(now - at < MINUTE for at in taken)
        if room.take(now):
            taken.append(now)
        else:
            assert within == most
        assert sum(now - at < MINUTE for at in taken) <= most


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 7), QUARTERS, st.booleans()), max_size=60))
def test_a_message_is_overdue_from_its_deadline_on_until_it_leaves_or_is_told_of(
    schedule: list[tuple[int, float, bool]],
) -> None:
    """
    Messages come and go at any moment: each is overdue exactly while it is open, 5 s after it came, and not told of.
    """
    deadlines, now = Deadlines({"live": 5.0}, LANES), 0.0
    came: dict[int, Delivery] = {}
    told: set[int] = set()
    for offset, step, tells in schedule:
        now += step
        if offset in came:
            del came[offset]
            told.discard(offset)
        else:
            came[offset] = read(offset, received=WALL + now)
        found = deadlines.overdue(came.values(), now, WALL + now)
        wanted = {each for each, message in came.items() if each not in told and WALL + now - message.received >= 5.0}
        assert {each.delivery.offset for each in found} == wanted
        assert len(deadlines) == len(came)
        if tells:
            for each in found:
                each.watched.told = True
                told.add(each.delivery.offset)


def test_a_lane_without_a_deadline_is_left_alone() -> None:
    """
    Off is the default: however old a message is, nothing is said of it.
    """
    deadlines = Deadlines({"live": 5.0}, LANES)

    assert overdue(deadlines, [read(1), read(2, "old")], 100.0, WALL + 100.0) == [1]
    assert len(deadlines) == 1


def test_what_was_read_long_before_it_is_seen_is_overdue_at_once() -> None:
    """
    A message that waited while its partition was taken over was read all the same.
    """
    assert overdue(Deadlines({"live": 5.0}, LANES), [read(1)], 100.0, WALL + 6.0) == [1]


def test_a_wall_clock_that_is_set_moves_no_deadline() -> None:
    """
    Otherwise every clock that is corrected forwards would send all that is open to review.
    """
    deadlines, message = Deadlines({"live": 5.0}, LANES), read(1)
    assert overdue(deadlines, [message], 100.0) == []

    assert overdue(deadlines, [message], 104.9, WALL + 3_600.0) == []
    assert overdue(deadlines, [message], 105.0, WALL - 3_600.0) == [1]


def test_lanes_are_told_of_in_turn_by_weight_and_the_oldest_of_each_first() -> None:
    """
    A backfill of thousands does not use up the minute of the live lane.
    """
    deadlines = Deadlines({"live": 5.0, "backfill": 5.0}, LANES)
    old = [read(each, "old", WALL - 100.0) for each in range(20)]
    live = [read(each, received=WALL - each) for each in range(10, 19)]

    found = deadlines.overdue([*old, *live], 0.0, WALL + 9.0)

    first = found[:12]
    assert Counter(each.watched.lane for each in first) == {"live": 9, "backfill": 3}
    deadline_order = [each.watched.due for each in found if each.watched.lane == "live"]
    assert deadline_order == sorted(deadline_order)


def test_a_message_that_is_read_again_is_another_one() -> None:
    """
    Another replica may have had it meanwhile: what is known of it begins anew.
    """
    deadlines, message = Deadlines({"live": 5.0}, LANES), read(1)
    for each in deadlines.overdue([message], 100.0, WALL + 9.0):
        each.watched.told = True

    assert overdue(deadlines, [message], 101.0, WALL + 9.0) == []
    assert overdue(deadlines, [replace(message, epoch=2)], 101.0, WALL + 9.0) == [1]


def test_what_was_held_back_is_left_out_while_there_is_no_room() -> None:
    """
    In an outage there are thousands of them, and they are looked at every second.
    """
    deadlines, messages = Deadlines({"live": 5.0}, LANES), [read(1), read(2)]
    deadlines.overdue(messages, 100.0, WALL + 9.0)[0].watched.held_back = True

    found = deadlines.overdue(messages, 101.0, WALL + 10.0, with_held_back=False)

    assert [each.delivery.offset for each in found] == [2]
    assert overdue(deadlines, messages, 101.0, WALL + 10.0) == [1, 2]
