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
        """Whether another record of a lane may begin."""
        return self._carried.get(lane, 0) < self.most

    def wait_for_capacity(self, lanes: Collection[str]) -> Awaitable[None]:
        """Return when another record of one of these lanes may begin."""
        return self._wait(lanes)

    async def _wait(self, lanes: Collection[str]) -> None:
        while not any(self.has_capacity(lane) for lane in lanes):
            await self._moved.wait()

    def give_up_waiting(self) -> None:
        """Cancel what waits with nothing in flight."""
        self.waits.close()
