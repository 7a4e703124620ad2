"""How many records of `feedback` are carried at once, by lane."""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field

from consumer.dispatch.waits import Changes, InterruptibleWaits
from consumer.records import Delivery
from consumer.reviews.carrying import Carrying
from consumer.verdicts.publisher import PublishTurn


@dataclass(slots=True)
class Room:
    """Carries records, and says whether another one of a lane may begin. See `service.Calls`."""

    carrying: Carrying
    lane_by_topic: Mapping[str, str]
    most: int  # of a lane
    waits: InterruptibleWaits
    _carried: dict[str, int] = field(default_factory=dict)
    _moved: Changes = field(default_factory=Changes)

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        """See `Carrying`."""
        lane = self.lane_by_topic[delivery.topic]
        self._carried[lane] = self._carried.get(lane, 0) + 1
        try:
            await self.carrying.carry(delivery, turn)
        finally:
            self._carried[lane] -= 1
            self._moved.notify()

    def has_capacity(self, lane: str) -> bool:
        """Whether another record of a lane may begin; one in an interval, while each meets an unexpected error."""
        return self.carrying.holding.has_capacity(self._has_room)(lane)

    def wait_for_capacity(self, lanes: Collection[str]) -> Awaitable[None]:
        """Return when another record of one of these lanes may begin."""
        return self.carrying.holding.wait_for_capacity(self._wait)(lanes)

    def _has_room(self, lane: str) -> bool:
        return self._carried.get(lane, 0) < self.most

    async def _wait(self, lanes: Collection[str]) -> None:
        while not any(self._has_room(lane) for lane in lanes):
            await self._moved.wait()

    def give_up_waiting(self) -> None:
        """Cancel what waits with nothing in flight."""
        self.waits.close()
