"""From when on Kafka counts a record's retention at the earliest, whatever its producer says."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.intake.dating import AHEAD, RecordDates

NOW = 1_763_632_800.0  # unix seconds
HOUR, DAY = 3_600.0, 86_400.0


def kept_from(*timestamps: float, received: float = NOW) -> list[float]:
    """Of records of one partition, read at once."""
    dates = RecordDates()
    return [dates.kept_from(timestamp, received) for timestamp in timestamps]


def test_a_time_in_the_past_is_not_that_of_a_record_behind_younger_ones() -> None:
    """
    Kafka deletes from the beginning of the log: a record dated 1970, or without a time, raises no alarm there.
    """
    assert kept_from(NOW - HOUR, 0.0, -0.001, NOW) == [NOW - HOUR, NOW - HOUR, NOW - HOUR, NOW]


def test_a_time_in_the_future_hides_no_record_that_is_about_to_be_lost() -> None:
    """
    Those behind it are as old as they say: brokers differ in what they do with such a time.
    """
    year_2100 = 4_102_444_800.0

    assert kept_from(NOW - 6 * DAY, year_2100, NOW - 6 * DAY) == [NOW - 6 * DAY, NOW, NOW - 6 * DAY]


def test_records_that_are_all_old_are_about_to_be_lost() -> None:
    """
    Nothing younger lies before them: Kafka may delete them, whoever dated them.
    """
    assert kept_from(0.0, 10.0, 5.0) == [0.0, 10.0, 10.0]


def test_a_clock_that_is_ahead_protects_as_well_as_one_that_is_right() -> None:
    """
    Else one record dated 1970 would raise an alarm wherever a producer's clock is two seconds ahead.
    """
    assert kept_from(NOW + 2.0, 0.0) == [NOW, NOW]
    assert kept_from(NOW + AHEAD + 1.0, 0.0) == [NOW, 0.0]


@given(st.lists(st.tuples(st.floats(-1, 5e9), st.booleans()), max_size=30), st.floats(0, 2e9))
def test_forged_times_never_make_honest_records_look_younger_or_older_than_kafka_keeps_them(
    records: list[tuple[float, bool]], began: float
) -> None:
    """
    However they are mixed: an honest record is kept from its own time on, or from that of a younger one before it.
    """
    dates, honest = RecordDates(), -1.0
    for step, (time, is_honest) in enumerate(records):
        written = began + step
        timestamp = written if is_honest else time
        received = began + len(records)
        found = dates.kept_from(timestamp, received)
        honest = max(honest, timestamp) if is_honest else honest

        assert honest <= found <= received
