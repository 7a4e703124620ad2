"""
Calls wait here for their moment, and depart by lane.

    waiting by lane ──► the pace says when, the share how many, the weights which lane ──► departs ──► its bytes go out
                                                                                                          │
                             the lease is over: `GrantRevoked`, nothing is sent ◄── looked at once more ─────┘

A process may be stopped at any point for any time. So the clock and the lease are looked at when a call departs, and
again in the last moment before its bytes go out, which is much later for a call that opens a connection first.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from consumer import background
from consumer.clock import Clock
from consumer.dispatch.pace import Departure, Pace
from consumer.dispatch.quota import Share, Shares
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import ConsumerError
from consumer.fairness import FairQueue
from consumer.observability import metrics

LONGEST_LOOK = 0.05  # seconds after which pace and share are looked at again


class GrantRevoked(ConsumerError):
    """The call may not depart any more, because of what happened while it waited; nothing was sent."""


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """A call that was let go under a lease, and may be sent under no other."""

    departure: Departure
    lease: int
    lane: str


Waiter = asyncio.Future[Grant | None]


class Gate:
    """The one gate that all calls of this replica go through."""

    def __init__(self, pace: Pace, shares: Shares, clock: Clock, waits: InterruptibleWaits) -> None:
        self._pace = pace
        self._shares = shares
        self._clock = clock
        self._waits = waits
        self._turns = FairQueue({})
        self._waiting: dict[tuple[str, str], deque[Waiter]] = {}  # by lane and region
        self._callers: Counter[str] = Counter()  # that have not departed, by lane
        self._opened = asyncio.Event()  # there is a share
        self._shut_out = 0  # callers that wait for that
        self._next_look = 0.0  # the moment, while there is a task that looks
        self._waking: asyncio.Task[None] | None = None
        self._withheld: tuple[float, str] | None = None  # since when nothing may leave though calls wait, and by what

    async def next(self, lane: str, region: str = "", *, paid: bool = False) -> Grant:
        """
        Return when a call of this lane to this region departs.

        The wait is interruptible, as it has cost nothing; but where something is `paid`, only while there is no share.
        """
        self._callers[lane] += 1
        try:
            if paid:
                return await self._next(lane, region, self._waits.interruptible)
            with self._waits.interruptible():
                return await self._next(lane, region, contextlib.nullcontext)
        finally:
            self._callers[lane] -= 1

    def waiting(self, lane: str) -> int:
        """How many calls of a lane wait for their moment."""
        return self._callers[lane]

    def anyone_waits(self) -> bool:
        """Whether a call of any lane waits for its moment."""
        return any(self._callers.values())

    def send(self, grant: Grant) -> bool:
        """
        Let the call be sent now. Where its lease is over, withdraw it and raise `GrantRevoked`.

        True the first time: a call that several images share is made up anew where one of them must leave it.
        """
        share = self._shares.share(self._clock.now())
        if share.lease != grant.lease or not share.total:
            grant.departure.withdrawn()
            raise GrantRevoked
        if is_first := grant.departure.goes_out():
            metrics.LANE_CALLS.labels(grant.lane).inc()
        return is_first

    def give_back(self, grant: Grant) -> None:
        """Let another call have the moment of one that is not sent."""
        grant.departure.withdrawn()
        self._look(self._clock.now())

    async def _next(self, lane: str, region: str, shut_out: Callable[[], AbstractContextManager[None]]) -> Grant:
        while True:
            now = self._clock.now()
            share = self._look(now)
            if not share.total:
                await self._until_opened(shut_out)
                continue
            if self._pace.earliest() <= now and not any(self._waiting.values()):
                self._turns.served(lane)
                return Grant(self._pace.depart(now), share.lease, lane)
            if grant := await self._in_line((lane, region), now, share):
                return grant

    async def _until_opened(self, shut_out: Callable[[], AbstractContextManager[None]]) -> None:
        self._shut_out += 1
        try:
            with shut_out():
                self._look(self._clock.now())
                await self._opened.wait()  # wakes in the order they came
        finally:
            self._shut_out -= 1

    async def _in_line(self, line: tuple[str, str], now: float, share: Share) -> Grant | None:
        """Return when a call of this lane to this region departs, or None when there is no share any more."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(line, deque()).append(waiter)
        self._look_again(now, share)
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and (grant := waiter.result()):
                grant.departure.withdrawn()
            raise

    def _look(self, now: float) -> Share:
        """Let calls depart that may depart now, and schedule the next look."""
        share = self._shares.share(now)
        self._pace.change(share.total)
        self._turns.change(share.by_lane)
        waiting = self._those_in_line()
        if share.total:
            self._opened.set()
        else:
            self._opened.clear()
            self._turn_away()
        self._count_withheld(now, share, bool(waiting) or self._shut_out > 0)
        if not share.total:
            waiting = {}
        while waiting and self._pace.earliest() <= now:
            lane = self._turns.first(waiting)
            self._turns.served(lane)
            waiters = self._waiting.pop(waiting[lane])
            waiters.popleft().set_result(Grant(self._pace.depart(now), share.lease, lane))
            self._waiting[waiting[lane]] = waiters
            waiting = self._those_in_line()
        if waiting or self._shut_out:
            self._look_again(now, share)
        return share

    def _look_again(self, now: float, share: Share) -> None:
        """See to it that somebody looks when the next call may depart."""
        self._next_look = min(self._pace.earliest() if share.total else share.until, now + LONGEST_LOOK)
        if self._waking is None:
            self._waking = background.started(self._keep_looking(), "departures")

    def _count_withheld(self, now: float, share: Share, is_waited_for: bool) -> None:
        if self._withheld is not None:
            since, by = self._withheld
            metrics.QUOTA_WITHHELD_SECONDS.labels(by).inc(max(0.0, now - since))
        self._withheld = (now, share.withheld_by) if is_waited_for and not share.total else None

    async def _keep_looking(self) -> None:
        """Look again at each moment at which a call may depart, for as long as calls wait."""
        try:
            while self._shut_out or any(self._waiting.values()):
                await self._clock.sleep(max(0.0, self._next_look - self._clock.now()))
                self._look(self._clock.now())
        finally:
            self._waking = None

    def _those_in_line(self) -> Mapping[str, tuple[str, str]]:
        """
        Return the next line of each lane among those with waiting calls; cancelled calls are removed.

        A lane's regions take turns: a region that is recovering gets few calls, and would take long to show that it has
        recovered if they waited behind all calls for the other region.
        """
        lines: dict[str, tuple[str, str]] = {}
        for line, waiters in self._waiting.items():  # the line that was served last stands last
            while waiters and waiters[0].done():
                waiters.popleft()
            if waiters:
                lines.setdefault(line[0], line)
        return lines

    def _turn_away(self) -> None:
        for waiters in self._waiting.values():
            while waiters:
                if not (waiter := waiters.popleft()).done():
                    waiter.set_result(None)
