"""
The account's quota in a sliding second.
"""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from consumer.emulator.quota import SlidingQuota

# Sixty-fourths of a second add up without rounding, so windows have exact edges.
arrival_times = st.lists(st.integers(0, 96), min_size=1, max_size=80).map(
    lambda gaps: [ticks / 64 for ticks in accumulate(gaps)]
)


@given(arrival_times, st.integers(1, 10))
def test_no_second_holds_more_accepted_calls_than_the_quota(arrivals: list[float], quota: int) -> None:
    """
    In every second that ends at an arrival at most the quota is accepted, wherever the second begins.
    """
    limit = SlidingQuota(quota)

    accepted = [arrival for arrival in arrivals if limit.admit(arrival)]

    for end in accepted:
        assert sum(end - 1 < arrival <= end for arrival in accepted) <= quota


@given(arrival_times, st.integers(1, 10))
def test_only_a_full_second_refuses(arrivals: list[float], quota: int) -> None:
    """
    A call is refused only if the quota was accepted in the second before it: refused calls use nothing up.
    """
    limit = SlidingQuota(quota)
    accepted: list[float] = []

    for arrival in arrivals:
        full = sum(arrival - 1 < earlier <= arrival for earlier in accepted) >= quota
        assert limit.admit(arrival) is not full
        if not full:
            accepted.append(arrival)
