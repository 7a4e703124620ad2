"""
How many records of `feedback` are carried at once, by lane.

A record that is held because it meets a bug gives its place back meanwhile: records of one partition that all meet it
would else keep those of every other one from being begun. How many are held is bounded by what may be read.
"""

from collections import Counter
from collections.abc import Awaitable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from consumer.dispatch.waits import Changes, InterruptibleWaits
from consumer.records import Delivery
from consumer.reviews.carrying import Carrying
from consumer.verdicts.publisher import PublishTurn


@dataclass(slots=True)
class Places:
    """Those that records of each lane take."""

    lane_by_topic: Mapping[str, str]
    most: int  # of a lane
    moved: Changes = field(default_factory=Changes)
    _taken: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def taken(self, delivery: Delivery) -> Iterator[None]:
        """Take a place, though there be none."""
        lane = self.lane_by_topic[delivery.topic]
        self._taken[lane] += 1
        try:
            yield
        finally:
            self._taken[lane] -= 1
            self.moved.notify()

    @contextmanager
    def given_back(self, delivery: Delivery) -> Iterator[None]:
        """Give a place back for a while."""
        lane = self.lane_by_topic[delivery.topic]
        self._taken[lane] -= 1
        self.moved.notify()
        try:
            yield
        finally:
            self._taken[lane] += 1

    def any_free(self, lanes: Collection[str]) -> bool:
        """Whether one of the lanes has a place."""
        return any(self._taken[lane] < self.most for lane in lanes)


@dataclass(slots=True)
class Room:
    """Carries records, and says whether another one of a lane may begin. See `service.Calls`."""

    carrying: Carrying
    places: Places
    waits: InterruptibleWaits

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        """See `Carrying`."""
        with self.places.taken(delivery):
            await self.carrying.carry(delivery, turn)

    def has_capacity(self, lane: str) -> bool:
        """Whether another record of a lane may begin; one in an interval, while each meets an unexpected error."""
        return self.carrying.holding.has_capacity(self._has_room)(lane)

    def wait_for_capacity(self, lanes: Collection[str]) -> Awaitable[None]:
        """Return when another record of one of these lanes may begin."""
        return self.carrying.holding.wait_for_capacity(self._wait)(lanes)

    def _has_room(self, lane: str) -> bool:
        return self.places.any_free([lane])

    async def _wait(self, lanes: Collection[str]) -> None:
        while not self.places.any_free(lanes):
            await self.places.moved.wait()

    def give_up_waiting(self) -> None:
        """Cancel what waits with nothing in flight."""
        self.waits.close()
