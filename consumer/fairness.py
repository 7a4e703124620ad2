"""
How lanes share. A lane is a group of input topics with a weight. Values only; nothing here waits.

    FairQueue           which lane is next, among those that have something waiting
    ReservedCapacity    how much of a limit each lane may take, so that none can fill what another needs

While a lane is idle, others use all of its turns, and the capacity that is not reserved for it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

DEFAULT = "default"
RESERVED = 1 / 3  # of a limit's places; what is left must do for a lane that is alone


def whole_parts(weights: Mapping[str, float], whole: int) -> dict[str, int]:
    """Divide a whole number by weight into whole numbers that sum to it: the largest remainders are rounded up."""
    total = sum(weights.values())
    exact = {name: whole * weight / total for name, weight in weights.items()}
    parts = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (parts[name] - exact[name], name))
    for name in by_remainder[: whole - sum(parts.values())]:
        parts[name] += 1
    return parts


class Lanes(NamedTuple):
    """Which lanes there are, and which input topic is in which."""

    weights: Mapping[str, float]
    by_topic: Mapping[str, str]


class FairQueue:
    """
    Which lane is next: in any stretch, lanes that wait all the time get turns by weight.

    Start-time fair queueing: the waiting lane with the smallest virtual time is next; ties go to the heavier lane. A
    lane that was idle gets a turn at once, but none for the time in which it was idle.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)
        self._next: dict[str, float] = {}  # virtual time from which each lane may have its next turn
        self._now = 0.0  # virtual time of the latest turn

    def change(self, weights: Mapping[str, float]) -> None:
        """Use other weights, and forget the lanes' virtual times. Does nothing if the weights are the same."""
        if weights != self._weights:
            self._weights = dict(weights)
            self._next.clear()

    def first(self, waiting: Iterable[str]) -> str:
        """Return the eligible lane with the smallest virtual time; ties go to the heavier lane, no weight is last."""
        return min(waiting, key=lambda lane: (not self._weight(lane), self._turn(lane), -self._weight(lane)))

    def served(self, lane: str) -> None:
        """Note that the lane had a turn."""
        if weight := self._weight(lane):
            self._now = self._turn(lane)
            self._next[lane] = self._now + 1 / weight

    def _turn(self, lane: str) -> float:
        return max(self._now, self._next.get(lane, 0.0))

    def _weight(self, lane: str) -> float:
        return self._weights.get(lane, 0.0)


class ReservedCapacity:
    """
    Places of a limit: a third is reserved for the lanes by weight, and any lane may take the rest.

    A lane that is alone has at least two thirds and its own reserve; a lane that was idle has its reserve at once.
    """

    def __init__(self, size: int, weights: Mapping[str, float]) -> None:
        self.size = size
        self._held = dict.fromkeys(weights, 0)
        self._all_held = 0
        self._reserves = _reserves(size, weights)

    @property
    def held(self) -> int:
        """Places that are taken."""
        return self._all_held

    def held_by(self, lane: str) -> int:
        """Places that the lane has taken."""
        return self._held.get(lane, 0)

    def free(self, lane: str) -> int:
        """Places that the lane may take now, 0 at the least."""
        others = sum(max(0, reserve - self._held[other]) for other, reserve in self._reserves.items() if other != lane)
        return max(0, self.size - self._all_held - others)

    def take(self, lane: str, places: int = 1) -> None:
        """Note that the lane takes places, though they be more than are free; a negative number gives them back."""
        self._held[lane] = self._held.get(lane, 0) + places
        self._all_held += places


def _reserves(size: int, weights: Mapping[str, float]) -> dict[str, int]:
    if len(weights) < 2:
        return dict.fromkeys(weights, 0)
    total = sum(weights.values())
    least = 1 if size >= 2 * len(weights) else 0
    return {lane: max(least, int(size * RESERVED * weight / total)) for lane, weight in weights.items()}
