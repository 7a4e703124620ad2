"""
Lanes: groups of input topics that share the quota and the room by weight. Values only; nothing here waits.

    Weights    whose turn it is, among the lanes that have something waiting
    Portions   how many places of a limit each lane may take, so that none can fill what another needs
    Waiting    what has been read and not begun, by lane: which is begun next

An idle lane lends all of its turns, and the places that are not reserved for it.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Generic, TypeVar

DEFAULT = "default"
RESERVED = 1 / 3  # of a limit's places; what is left must do for a lane that is alone
Item = TypeVar("Item")


def whole_parts(weights: Mapping[str, float], whole: int) -> dict[str, int]:
    """Divide a whole number by weight into whole numbers that sum to it: the largest remainders are rounded up."""
    total = sum(weights.values())
    exact = {name: whole * weight / total for name, weight in weights.items()}
    parts = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (parts[name] - exact[name], name))
    for name in by_remainder[: whole - sum(parts.values())]:
        parts[name] += 1
    return parts


class FairQueue:
    """
    Whose turn it is: in any stretch, lanes that wait all the time get turns by weight.

    A lane that wakes has its turn at once, and none saved up from while it slept (start-time fair queueing).
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)
        self._next: dict[str, float] = {}  # virtual time from which each lane may have its next turn
        self._now = 0.0  # virtual time of the latest turn

    def change(self, weights: Mapping[str, float]) -> None:
        """Go on with other weights, and forget who was ahead of whom. Nothing where they are the same."""
        if weights != self._weights:
            self._weights = dict(weights)
            self._next.clear()

    def first(self, waiting: Iterable[str]) -> str:
        """Return the lane of those whose turn it is, the heavier of equals; one without weight only before none."""
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
    Places of a limit: a third is reserved for lanes by weight, and the rest is anybody's.

    So a lane alone has two thirds and its own reserve at the least, and one that wakes its reserve at once.
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


class Waiting(Generic[Item]):
    """Items that wait to begin, in the order of each lane."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._turns = FairQueue(weights)
        self._items: dict[str, deque[Item]] = {lane: deque() for lane in weights}

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    @property
    def lanes(self) -> Collection[str]:
        """Those that have something waiting."""
        return [lane for lane, items in self._items.items() if items]

    def add(self, lane: str, items: Iterable[Item]) -> None:
        """Let items wait behind those of their lane."""
        self._items[lane].extend(items)

    def next(self, may_begin: Callable[[str], bool]) -> Item | None:
        """Take the item that begins next: of the lane whose turn it is, of those that may. None where none may."""
        if not (lanes := [lane for lane in self.lanes if may_begin(lane)]):
            return None
        lane = self._turns.first(lanes)
        self._turns.served(lane)
        return self._items[lane].popleft()

    def __iter__(self) -> Iterator[Item]:
        """All that waits."""
        return chain.from_iterable(self._items.values())

    def drop(self, is_dropped: Callable[[Item], bool]) -> list[Item]:
        """Take out and return what will not begin."""
        dropped = [item for items in self._items.values() for item in items if is_dropped(item)]
        gone = set(map(id, dropped))
        for lane, items in self._items.items():
            self._items[lane] = deque(item for item in items if id(item) not in gone)
        return dropped
