"""
What has been read and not started, by lane: which message starts next.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Generic, TypeVar

from consumer.fairness import FairQueue

Item = TypeVar("Item")


class Waiting(Generic[Item]):
    """Items that wait to start, in the order of each lane."""

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

    def next(self, may_start: Callable[[str], bool]) -> Item | None:
        """Take the item that starts next, of the next lane that may start one; None where none may."""
        if not (lanes := [lane for lane in self.lanes if may_start(lane)]):
            return None
        lane = self._turns.first(lanes)
        self._turns.served(lane)
        return self._items[lane].popleft()

    def __iter__(self) -> Iterator[Item]:
        """All that waits."""
        return chain.from_iterable(self._items.values())

    def drop(self, is_dropped: Callable[[Item], bool]) -> list[Item]:
        """Take out and return what will not start."""
        dropped = [item for items in self._items.values() for item in items if is_dropped(item)]
        gone = set(map(id, dropped))
        for lane, items in self._items.items():
            self._items[lane] = deque(item for item in items if id(item) not in gone)
        return dropped
