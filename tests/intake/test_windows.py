from math import inf

from hypothesis import given
from hypothesis import strategies as st

from consumer.intake.windows import MIN_ROOM, YOUNG, Windows, turn
from consumer.journal.journal import Journal
from consumer.records import Partition, SourceId
from tests.rig.events import delivery

PLACES = [Partition("uploads", number) for number in range(4)]
OUTCOMES = st.lists(
    st.tuples(st.sampled_from(PLACES), st.integers(0, 40), st.sampled_from("abc"), st.floats(0, 1e6)), max_size=200
)
SPANS = st.builds(range, st.integers(0, 20), st.integers(0, 45))


@given(OUTCOMES, st.integers(1, 30), st.dictionaries(st.sampled_from(PLACES), SPANS, min_size=1))
def test_a_window_is_whole_and_fits(
    outcomes: list[tuple[Partition, int, str, float]], most: int, spans: dict[Partition, range]
) -> None:
    """
    Below its limit all that was read of a partition is known, from there on nothing; together they fit, but for the
    lowest record of each, so that every reading moves every partition on. What is said of records that are not there
    yet is not believed.
    """
    journal = Journal()
    windows = Windows(journal, spans, most)
    for partition, offset, name, at in outcomes:
        windows.note(partition, offset, SourceId(name), at)

    wanted = {each[:3] for each in outcomes if each[1] in spans.get(each[0], ())}
    for partition, offset, name in {each[:3] for each in outcomes} - wanted:
        assert not journal.holds(delivery(offset=offset, partition=partition.number), SourceId(name))
    for partition, offset, name in wanted:
        known = journal.holds(delivery(offset=offset, partition=partition.number), SourceId(name))
        assert known == (offset < windows.limits.get(partition, inf))
    assert all(limit > spans[partition].start for partition, limit in windows.limits.items())
    lowest = {partition: min((each[1] for each in wanted if each[0] == partition), default=inf) for partition in spans}
    assert all(limit > lowest[partition] for partition, limit in windows.limits.items())
    assert len(journal) <= max(most, sum(each[1] == lowest[each[0]] for each in wanted))


def test_what_others_hold_leaves_room_to_move_on() -> None:
    """
    A partition that holds all of the room, because its lowest record does not end, does not stop the others.
    """
    journal = Journal()
    for offset in range(20):
        journal.note(PLACES[0], offset, SourceId("a"), 1.0)
    windows = Windows(journal, {PLACES[1]: range(30)}, 20)
    for offset in range(30):
        windows.note(PLACES[1], offset, SourceId("a"), 1.0)

    assert journal.count(PLACES[0]) == 20
    assert 1 <= journal.count(PLACES[1]) <= 20 <= MIN_ROOM


@given(st.dictionaries(st.sampled_from(PLACES), st.floats(0, 1e9), min_size=1), st.floats(1e9, 2e9))
def test_turns_go_from_young_to_old_and_read_little_more_than_one_would(
    since: dict[Partition, float], now: float
) -> None:
    """
    Each goes back four times further than the one before, so that one old partition holds the others for moments.
    """
    left, ages = dict(since), []
    while left:
        served = turn(left, now)
        assert served
        ages.append(max(now - left.pop(partition) for partition in served))

    assert ages == sorted(ages)
    assert sum(ages) <= ages[-1] * 4 / 3 + 4 * YOUNG + max(ages)


def test_one_old_partition_does_not_hold_the_young() -> None:
    """
    It is read after them.
    """
    since = {PLACES[0]: 1_000_000.0, PLACES[1]: 999_990.0, PLACES[2]: 10.0}

    assert turn(since, 1_000_020.0) == PLACES[:2]
