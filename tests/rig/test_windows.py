"""
Sliding windows over arrival times.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rig.windows import busiest_window, mean_rate, windows_over

# Whole milliseconds are read as seconds, so that times an exact second apart are drawn as well.
milliseconds = st.lists(st.integers(0, 5_000), max_size=60)


def held_by_window_at(begins: int, arrivals: list[int]) -> int:
    return sum(begins <= arrival < begins + 1_000 for arrival in arrivals)


@given(milliseconds)
def test_busiest_window_is_the_fullest_of_all_windows(arrivals: list[int]) -> None:
    """
    No window of a second, wherever it begins, holds more than the busiest; and one holds as many.
    """
    every_window = [held_by_window_at(begins, arrivals) for begins in range(-1_000, 5_001)]

    busiest = busiest_window(arrivals, length=1_000)

    assert max(every_window) == busiest


@given(milliseconds, st.integers(1, 10))
def test_every_window_over_the_quota_is_counted(arrivals: list[int], quota: int) -> None:
    """
    Each arrival whose window holds more than the quota counts once, so zero means that the quota was kept everywhere.
    """
    over = windows_over(arrivals, quota, length=1_000)

    assert sum(held_by_window_at(begins, arrivals) > quota for begins in arrivals) == over
    assert (busiest_window(arrivals, length=1_000) > quota) == (over > 0)


def test_an_arrival_one_second_later_belongs_to_the_next_window() -> None:
    """
    Windows are half open, so Q calls at once and Q more exactly a second later keep a quota of Q.
    """
    arrivals = [10.0] * 5 + [11.0] * 5

    over = windows_over(arrivals, quota=5)

    assert over == 0
    assert busiest_window(arrivals) == 5


def test_a_burst_across_a_clock_second_is_seen() -> None:
    """
    Twice the quota around the edge of two clock seconds is over it, though each clock second alone is not.
    """
    arrivals = [0.9, 0.95, 0.99, 1.0, 1.05, 1.1]

    over = windows_over(arrivals, quota=3)

    assert busiest_window(arrivals) == 6
    assert over == 3


def test_rate_counts_intervals_not_arrivals() -> None:
    """
    Five arrivals a quarter of a second apart are four a second, in whatever order they are given.
    """
    arrivals = [1.0, 0.0, 0.5, 0.25, 0.75]

    rate = mean_rate(arrivals)

    assert rate == 4.0


@pytest.mark.parametrize("arrivals", [[], [1.0], [1.0, 1.0]])
def test_rate_needs_time_to_pass(arrivals: list[float]) -> None:
    """
    Without two different times there is no rate, and none is made up.
    """
    with pytest.raises(ValueError, match="two arrivals"):
        mean_rate(arrivals)
