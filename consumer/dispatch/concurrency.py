"""How many calls may be in flight, of all lanes and of each, and whose call has the next slot."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from functools import partial
from typing import NamedTuple

from prometheus_client import Gauge

from consumer.dispatch.flows import Flow, FlowQueue
from consumer.dispatch.waits import Changes
from consumer.fairness import DEFAULT, FairQueue, ReservedCapacity
from consumer.observability import metrics

AHEAD = 4
"""
Calls of a lane that wait for each slot when no more messages of it begin.

Whose image a message names is known once it is decoded. So that one tenant's do not hide what stands behind them, some
more are begun than there are slots for; they have cost nothing.
"""
MOST_AHEAD = 512
"""
Of those, however many slots there are: each that is begun takes about 10 KiB. With 2,048 slots and no such bound a
process had 182 MiB, with it 167.
"""

_Waiter = asyncio.Future[None]


class ShownSlots(NamedTuple):
    """The metrics of a limit: slots held, in all and by lane, and what waits for one, by lane."""

    held_in_all: Gauge
    held: Gauge | None = None
    waiting: Gauge | None = None


SLOTS_OF_CALLS = ShownSlots(metrics.CALLS_IN_FLIGHT, metrics.LANE_CALLS_IN_FLIGHT, metrics.LANE_CALLS_WAITING)
SLOTS_OF_FETCHES = ShownSlots(metrics.FETCHES_IN_FLIGHT, metrics.LANE_FETCHES_IN_FLIGHT, metrics.LANE_FETCHES_WAITING)
SLOTS_OF_WORKERS = ShownSlots(metrics.WORKERS_BUSY)
PLACES_OF_TASKS = ShownSlots(metrics.OPEN_TASKS)


class Unfinished:
    """An image that is asked about. Its calls share it; nothing is known of this one."""

    def calls_left(self, most: int) -> int:
        """Calls that a stop would have to wait for, those under way included; an image may need `most`."""
        return most


class ConcurrencyLimit:
    """A number of slots, taken by lane as `ReservedCapacity` allows, and within a lane by flow as `FlowQueue` does."""

    def __init__(self, size: int, weights: Mapping[str, float] | None = None, shown: ShownSlots | None = None) -> None:
        self.size = size
        weights = weights or {DEFAULT: 1.0}
        self._capacity = ReservedCapacity(size, weights)
        self._turns = FairQueue(weights)
        self._queues: dict[str, FlowQueue[_Waiter]] = {lane: FlowQueue() for lane in weights}
        self.unfinished: Counter[Unfinished] = Counter()
        """Images whose calls a stop would wait for: those with a slot, and those that are next to have one."""
        self._moved = Changes()
        self._show(shown or SLOTS_OF_CALLS)

    @property
    def held(self) -> int:
        """Slots taken or waited for."""
        return self._capacity.held + sum(queue.waiting for queue in self._queues.values())

    def has_capacity(self, lane: str = DEFAULT) -> bool:
        """Whether another message of the lane may begin: few calls of the lane wait for a slot."""
        return self._queues[lane].waiting < min(AHEAD * self.size, MOST_AHEAD)

    async def wait_for_capacity(self, lanes: Collection[str] = ()) -> None:
        """Wait until another message of one of the lanes may begin; of any lane where none is named."""
        while not any(self.has_capacity(lane) for lane in lanes or self._queues):
            await self._moved.wait()

    @contextlib.asynccontextmanager
    async def slot(
        self, lane: str, flow: Flow, image: Unfinished | None = None, *, first: bool = False, ahead: bool = False
    ) -> AsyncIterator["Slot"]:
        """
        Hold a slot of the lane for a call of the flow; with `first` it is the next that has one, with `ahead` the next
        of its flow. A stop would wait for both.
        """
        slot = Slot(self, lane, flow, image, first=first, ahead=ahead)
        try:
            await slot.take()
            yield slot
        finally:
            slot.give_back()

    async def take(self, lane: str, flow: Flow, *, first: bool, ahead: bool) -> None:
        """Wait for a slot, and take it; see `Slot`."""
        if not self._queues[lane].waiting and self._capacity.free(lane):
            self._turns.served(lane)
            self._capacity.take(lane)
            self._queues[lane].take(flow)
            return
        taken: _Waiter = asyncio.get_running_loop().create_future()
        self._queues[lane].wait(taken, flow, first=first, ahead=ahead)
        try:
            await taken
        except BaseException:
            if self._queues[lane].give_up(taken, flow):
                self._moved.notify()
            else:  # it was given in the same moment
                self.give_back(lane, flow)
            raise

    def give_back(self, lane: str, flow: Flow) -> None:
        """Give a slot back; see `Slot`."""
        self._capacity.take(lane, -1)
        self._queues[lane].give_back(flow)
        self._move()

    def _move(self) -> None:
        """
        Give free slots to waiting callers, and wake those that wait for capacity.

        To be called when a slot becomes free: otherwise no lane has both free slots and callers that wait for one.
        """
        while lanes := [lane for lane, queue in self._queues.items() if queue.waiting and self._capacity.free(lane)]:
            lane = self._turns.first(lanes)
            self._turns.served(lane)
            self._capacity.take(lane)
            caller = self._queues[lane].next()
            if not caller.cancelled():  # or else it gives its slot back as soon as it runs
                caller.set_result(None)
        self._moved.notify()

    def _show(self, shown: ShownSlots) -> None:
        """Let the metrics be worked out when they are scraped."""
        shown.held_in_all.set_function(lambda: self._capacity.held)
        for lane in self._queues:
            if shown.held is not None:
                shown.held.labels(lane).set_function(partial(self._capacity.held_by, lane))
            if shown.waiting is not None:
                shown.waiting.labels(lane).set_function(partial(getattr, self._queues[lane], "waiting"))


class Slot:
    """One call's slot, which it may give back while it waits for something else, and take again."""

    def __init__(
        self, limit: ConcurrencyLimit, lane: str, flow: Flow, image: Unfinished | None = None, *, first: bool = False,
        ahead: bool = False,
    ) -> None:  # fmt: skip
        self._limit = limit
        self._lane = lane
        self.flow = flow
        self._image = image or Unfinished()
        self._first = first
        self._ahead = ahead
        self._is_held = False
        self._counts = False

    async def take(self, *, first: bool = False) -> None:
        """Return with the slot; with `first` before all others. Does nothing where it is held."""
        if not self._is_held:
            first = first or self._first
            self._count(first or self._ahead)
            await self._limit.take(self._lane, self.flow, first=first, ahead=self._ahead)
            self._is_held = True
            self._count(True)

    def give_back(self) -> None:
        """Let another call have it. Does nothing where it is not held."""
        self._count(False)
        if self._is_held:
            self._is_held = False
            self._limit.give_back(self._lane, self.flow)

    def _count(self, counts: bool) -> None:
        """Say whether a stop would wait for this call."""
        if counts == self._counts:
            return
        unfinished = self._limit.unfinished
        unfinished[self._image] += counts - self._counts
        if not unfinished[self._image]:
            del unfinished[self._image]
        self._counts = counts
