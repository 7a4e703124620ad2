"""
How many calls came in how short a time. Pure: arrival times in, in seconds and any order; figures out.

A window is half open: it holds what comes at its beginning, and not what comes exactly one length later.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence


def busiest_window(arrivals: Iterable[float], length: float = 1.0) -> int:
    """
    Return the most arrivals that any window of `length` seconds holds; 0 without arrivals.

    Raises:
        ValueError: the window has less than a tenth of a second, which says nothing of calls a second. It is so where
            stamps are late by more than the rest.
    """
    if length < 0.1:
        raise ValueError(f"a window of {length:.3f} s says nothing of calls a second: this machine stamps too late")
    return max(_held(sorted(arrivals), length), default=0)


def windows_over(arrivals: Iterable[float], quota: int, length: float = 1.0) -> int:
    """Return how many of the windows that begin at an arrival hold more than `quota`."""
    return sum(held > quota for held in _held(sorted(arrivals), length))


def mean_rate(arrivals: Sequence[float]) -> float:
    """
    Return the arrivals a second from the first to the last: n arrivals are n - 1 intervals.

    Raises:
        ValueError: there are not two different times.
    """
    if not arrivals or (span := max(arrivals) - min(arrivals)) <= 0:
        raise ValueError("a rate needs two arrivals at different times")
    return (len(arrivals) - 1) / span


def _held(ordered: Sequence[float], length: float) -> Iterator[int]:
    """Yield how many the window that begins at each arrival holds; the busiest of all windows is one of these."""
    for begins in ordered:
        yield bisect_left(ordered, begins + length) - bisect_left(ordered, begins)
