from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from consumer.config.operation import AdmissionSettings
from consumer.intake.admission import Admission

LIMITS = AdmissionSettings(max_records=10, max_records_per_partition=4, max_bytes=100)


def holding(*sizes: int, partition: Hashable = "a") -> Admission:
    admission = Admission(LIMITS)
    for size in sizes:
        admission.admit(partition, size)
    return admission


def test_a_place_is_full_until_half_of_it_is_done() -> None:
    """
    Between full and half, a place that was paused stays paused, and its neighbour is not touched.
    """
    admission = holding(1, 1, 1, 1)
    full = admission.is_full("a"), admission.has_drained("a"), admission.is_full("b")

    admission.dismiss("a", 1)
    between = admission.is_full("a"), admission.has_drained("a")
    admission.dismiss("a", 1)
    drained = admission.is_full("a"), admission.has_drained("a")

    assert full == (True, False, False)
    assert between == (False, False)
    assert drained == (False, True)


def test_all_are_paused_while_the_bytes_are_used_up() -> None:
    """
    Large messages reach the limit of bytes before that of records; reading goes on when half of them are free.
    """
    admission = holding(50, 60)
    crowded = [admission.crowded]

    admission.admit("b", 1)
    admission.dismiss("a", 60)
    crowded.append(admission.crowded)
    admission.dismiss("a", 50)
    crowded.append(admission.crowded)

    assert crowded == [True, True, False]


def test_all_are_paused_while_the_records_are_used_up() -> None:
    """
    Many small messages reach the limit of records, whatever partitions they are of.
    """
    admission = Admission(LIMITS)
    for partition in range(10):
        admission.admit(partition, 1)
    crowded = [(admission.crowded, admission.free_records)]

    for partition in range(5):
        admission.dismiss(partition, 1)
        crowded.append((admission.crowded, admission.free_records))

    assert crowded == [(True, 0), (True, 1), (True, 2), (True, 3), (True, 4), (False, 5)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=60), st.randoms())
def test_what_is_dismissed_leaves_nothing_behind(admitted: list[tuple[int, int]], random: st.DataObject) -> None:
    """
    However much was held, dismissing all of it in any order restores all the room.
    """
    admission = Admission(LIMITS)
    for partition, size in admitted:
        admission.admit(partition, size)
    random.shuffle(admitted)  # type: ignore[attr-defined]
    for partition, size in admitted:
        admission.dismiss(partition, size)

    assert admission.free_records == LIMITS.max_records
    assert not admission.crowded
    assert not any(admission.is_full(partition) for partition in range(4))


def test_a_lane_is_crowded_before_it_takes_what_others_need() -> None:
    """
    A backfill stops at what is reserved for live, which can still be read; and goes on when half of its part is free.
    """
    admission = Admission(AdmissionSettings(max_records=30, max_bytes=1_000), {"live": 9.0, "backfill": 1.0})
    for number in range(21):
        admission.admit(number, 1, "backfill")
    full = admission.is_crowded("backfill"), admission.is_crowded("live"), admission.crowded

    for number in range(10):
        admission.dismiss(number, 1, "backfill")
    between = admission.is_crowded("backfill")
    admission.dismiss(10, 1, "backfill")

    assert full == (True, False, False)
    assert between
    assert not admission.is_crowded("backfill")


def test_large_messages_of_one_lane_leave_bytes_for_the_other() -> None:
    """
    Bytes are reserved as records are.
    """
    admission = Admission(AdmissionSettings(max_records=1_000, max_bytes=900), {"live": 1.0, "backfill": 1.0})

    admission.admit("a", 800, "backfill")

    assert (admission.is_crowded("backfill"), admission.is_crowded("live")) == (True, False)
