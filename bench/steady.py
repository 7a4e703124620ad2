"""
What a process spent while it was running steadily: pure, from when its outcomes came and how its CPU clock stood.

    start-up │ first calls │            steady            │ last calls │ stop
                           └ outcome `edge`               └ outcome n - `edge`

At both ends of the steady part as many calls are in flight, so that what is half done at one end makes up for what is
half done at the other.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple


class Sample(NamedTuple):
    """How a process's CPU clock stood."""

    at: float
    """Seconds since the epoch."""

    cpu_seconds: float


class Steady(NamedTuple):
    """The steady part of one run."""

    events: int
    cpu_seconds: float
    wall_seconds: float

    @property
    def cpu_per_event(self) -> float:
        """CPU seconds that one event cost."""
        return self.cpu_seconds / self.events

    @property
    def events_per_second(self) -> float:
        """How many events came out in a second."""
        return self.events / self.wall_seconds


def steady_part(outcomes: Sequence[float], samples: Sequence[Sample], edge: int) -> Steady:
    """
    Return what was spent between the `edge`-th outcome and the one that `edge` others followed.

    `outcomes` are their times since the epoch in any order; `samples` are in the order of time.

    Raises:
        ValueError: too few outcomes for two such edges, or no samples around the part between them.
    """
    ordered = sorted(outcomes)
    events = len(ordered) - 1 - 2 * edge
    if events < 1:
        raise ValueError(f"{len(ordered)} outcomes are too few to leave {edge} out at either end")
    begins, ends = ordered[edge], ordered[-1 - edge]
    if ends <= begins:
        raise ValueError("all outcomes came at once")
    return Steady(events, _cpu_at(samples, ends) - _cpu_at(samples, begins), ends - begins)


def steady_between(outcomes: Sequence[float], samples: Sequence[Sample], begins: float, ends: float) -> Steady:
    """
    Return what was spent between two times, both in seconds since the epoch. Arguments as those of `steady_part`.

    Raises:
        ValueError: no outcome came in it, or there are no samples around it.
    """
    events = sum(begins <= at < ends for at in outcomes)
    if not events:
        raise ValueError("no outcome came in the steady part")
    return Steady(events, _cpu_at(samples, ends) - _cpu_at(samples, begins), ends - begins)


def _cpu_at(samples: Sequence[Sample], at: float) -> float:
    """Return how the CPU clock stood at `at`, drawn straight between the samples around it."""
    after = bisect_right(samples, at, key=lambda sample: sample.at)
    if not 0 < after < len(samples):
        raise ValueError("the CPU clock was not read before and after the steady part")
    before, later = samples[after - 1], samples[after]
    share = (at - before.at) / (later.at - before.at)
    return before.cpu_seconds + share * (later.cpu_seconds - before.cpu_seconds)
