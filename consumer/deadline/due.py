"""
Which uploads have been without an answer for too long, and how many of them may be told of now. Values only.

    read ──► watched ──(its lane's deadline)──► overdue ──► told; or held back, while the minute is used up
                                                            in both cases until it leaves: it is told of once
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from consumer.fairness import Lanes
from consumer.records import Delivery

MINUTE = 61.0  # seconds: one longer than a minute, in which Kafka dates what was sent


class PerMinute:
    """Places of any minute, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: deque[float] = deque()

    def has_room(self, now: float) -> bool:
        """Whether there is a place at `now`, which never falls."""
        while self._taken and now - self._taken[0] >= MINUTE:
            self._taken.popleft()
        return len(self._taken) < self._most

    def take(self, now: float) -> bool:
        """Take a place; say whether there was one."""
        if has_room := self.has_room(now):
            self._taken.append(now)
        return has_room


@dataclass(slots=True)
class Watched:
    """What is known of one message that has no outcome."""

    lane: str
    due: float  # by the clock's `now`
    offset: int
    received: float
    told: bool = False
    held_back: bool = False


class Overdue(NamedTuple):
    """A message whose deadline has passed."""

    delivery: Delivery
    watched: Watched


class Deadlines:
    """The deadlines of the messages that are open."""

    def __init__(self, by_lane: Mapping[str, float], lanes: Lanes) -> None:
        """`by_lane` are seconds from reading a message on; lanes that are not there have no deadline."""
        self._weights = lanes.weights
        self._by_topic = {topic: (lane, by_lane[lane]) for topic, lane in lanes.by_topic.items() if lane in by_lane}
        # By the delivery's identity, because thousands are looked at every second. What takes the place of one that has
        # left was read later, or has another offset.
        self._watched: dict[int, Watched] = {}

    def __len__(self) -> int:
        """Messages that are watched."""
        return len(self._watched)

    def overdue(
        self, open_now: Iterable[Delivery], now: float, wall: float, *, with_held_back: bool = True
    ) -> list[Overdue]:
        """
        Return the open messages that are overdue and not told of: lanes in turn by weight, the oldest of each first.

        `now` and `wall` are the clock's; a message's deadline does not move when the wall's clock is set. A message is
        the same delivery for as long as it is open. Those that were held back are left out on demand: while there is no
        room there may be thousands.
        """
        before, watched, by_topic = self._watched, {}, self._by_topic
        by_lane: dict[str, list[Overdue]] = defaultdict(list)
        for delivery in open_now:
            if (deadline := by_topic.get(delivery.topic)) is None:
                continue
            each = before.get(id(delivery))
            if each is None or each.offset != delivery.offset or each.received != delivery.received:
                lane, seconds = deadline
                due = now + seconds - max(0.0, wall - delivery.received)
                each = Watched(lane, due, delivery.offset, delivery.received)
            watched[id(delivery)] = each
            if each.due <= now and not each.told and (with_held_back or not each.held_back):
                by_lane[each.lane].append(Overdue(delivery, each))
        self._watched = watched
        return self._in_turn(by_lane)

    def _in_turn(self, by_lane: Mapping[str, list[Overdue]]) -> list[Overdue]:
        turns: list[tuple[float, Overdue]] = []
        for lane, overdue in by_lane.items():
            overdue.sort(key=lambda each: each.watched.due)
            turns += ((place / self._weights[lane], each) for place, each in enumerate(overdue, 1))
        turns.sort(key=lambda turn: turn[0])
        return [overdue for _, overdue in turns]
