"""How many calls may be in flight, of all lanes and of each."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping

from consumer.fairness import DEFAULT, FairQueue, ReservedCapacity
from consumer.observability import metrics


class ConcurrencyLimit:
    """A number of slots, taken by lane as `Portions` allows, and within a lane in the order they are asked for."""

    def __init__(self, size: int, weights: Mapping[str, float] | None = None) -> None:
        self.size = size
        weights = weights or {DEFAULT: 1.0}
        self._capacity = ReservedCapacity(size, weights)
        self._turns = FairQueue(weights)
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {lane: deque() for lane in weights}
        self._changed = asyncio.Event()
        self._shown = {lane: metrics.LANE_CALLS_IN_FLIGHT.labels(lane) for lane in weights}

    @property
    def held(self) -> int:
        """Slots taken or waited for."""
        return self._capacity.held + sum(map(len, self._waiting.values()))

    def has_capacity(self, lane: str = DEFAULT) -> bool:
        """Whether the lane has a free slot that no caller waits for."""
        return not self._waiting[lane] and self._capacity.free(lane) > 0

    async def wait_for_capacity(self, lanes: Collection[str] = ()) -> None:
        """Wait until one of the lanes has room; of all lanes where none is named."""
        while not any(self.has_capacity(lane) for lane in lanes or self._waiting):
            await self._changed.wait()

    @contextlib.asynccontextmanager
    async def slot(self, lane: str) -> AsyncIterator[None]:
        """Hold a slot of the lane."""
        await self._take(lane)
        try:
            yield
        finally:
            self._capacity.take(lane, -1)
            self._move()

    async def _take(self, lane: str) -> None:
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(taken)
        self._move()
        try:
            await taken
        except BaseException:
            if not taken.cancelled():  # it was given in the same moment
                self._capacity.take(lane, -1)
            elif taken in self._waiting[lane]:
                self._waiting[lane].remove(taken)
            self._move()
            raise

    def _move(self) -> None:
        """Give free slots to waiting callers, and wake those that wait for capacity."""
        while lanes := [lane for lane in self._those_in_line() if self._capacity.free(lane)]:
            lane = self._turns.first(lanes)
            self._turns.served(lane)
            self._capacity.take(lane)
            self._waiting[lane].popleft().set_result(None)
        for lane, line in self._waiting.items():
            self._shown[lane].set(self._capacity.held_by(lane) + len(line))
        metrics.CALLS_IN_FLIGHT.set(self.held)
        self._changed.set()
        self._changed = asyncio.Event()

    def _those_in_line(self) -> list[str]:
        """Return the lanes with waiting callers, after removing cancelled callers from their heads."""
        for line in self._waiting.values():
            while line and line[0].done():
                line.popleft()
        return [lane for lane, line in self._waiting.items() if line]
