"""
Calls wait here for their moment, and depart by lane.

    waiting by lane ──► the pace says when, the share how many, the weights which lane ──► departs ──► its bytes go out
                                                                                                          │
                             the lease is over: `Overtaken`, nothing is sent ◄── looked at once more ─────┘

A process may be stopped at any point for any time. So the clock and the lease are looked at when a call departs, and
again in the last moment before its bytes go out, which is much later for a call that opens a connection first.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from consumer.clock import Clock
from consumer.errors import CallFailed, Lost, Throttled
from consumer.flight import Flight
from consumer.lanes import Weights
from consumer.moderation import Moderator, Overtaken, Question
from consumer.moderation.lobby import Lobby
from consumer.moderation.pace import Departure, Pace
from consumer.moderation.quota import Share, Shares
from consumer.observability import metrics
from consumer.records import Answer, Partition

LONGEST_LOOK = 0.05  # seconds after which pace and share are looked at again


@dataclass(frozen=True, slots=True, eq=False)
class Leaving:
    """A call that was let go under a lease, and may be sent under no other."""

    departure: Departure
    lease: int
    lane: str


Waiter = asyncio.Future[Leaving | None]


class Departures:
    """The one gate that all calls of this replica go through."""

    def __init__(self, pace: Pace, shares: Shares, clock: Clock, lobby: Lobby) -> None:
        self._pace = pace
        self._shares = shares
        self._clock = clock
        self._lobby = lobby
        self._turns = Weights({})
        self._waiting: dict[tuple[str, str], deque[Waiter]] = {}  # by lane and region
        self._opened = asyncio.Event()  # there is a share
        self._shut_out = 0  # who waits for that
        self._waking: asyncio.Task[None] | None = None
        self._withheld: tuple[float, str] | None = None  # since when nothing may leave though calls wait, and by what

    async def next(self, lane: str, region: str = "", *, paid: bool = False) -> Leaving:
        """
        Return when a call of this lane to this region departs.

        Who waits is in the lobby, as it has cost nothing; but where something is `paid`, only while there is no share.
        """
        with metrics.LANE_WAITING.labels(lane).track_inprogress():
            if paid:
                return await self._next(lane, region, self._lobby.waiting)
            with self._lobby.waiting():
                return await self._next(lane, region, contextlib.nullcontext)

    def send(self, leaving: Leaving) -> None:
        """Note that the call is sent now. Where its lease is over, withdraw it and raise `Overtaken`."""
        now = self._clock.now()
        share = self._shares.share(now)
        if share.lease != leaving.lease or not share.total:
            leaving.departure.withdrawn()
            raise Overtaken
        leaving.departure.sent(now)
        metrics.LANE_CALLS.labels(leaving.lane).inc()

    async def _next(self, lane: str, region: str, shut_out: Callable[[], AbstractContextManager[None]]) -> Leaving:
        while True:
            if not self._look().total:
                await self._until_opened(shut_out)
            if leaving := await self._in_line(lane, region):
                return leaving

    async def _until_opened(self, shut_out: Callable[[], AbstractContextManager[None]]) -> None:
        self._shut_out += 1
        try:
            with shut_out():
                self._look()
                await self._opened.wait()  # wakes in the order they came
        finally:
            self._shut_out -= 1

    async def _in_line(self, lane: str, region: str) -> Leaving | None:
        """Return when a call of this lane to this region departs, or None when there is no share any more."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((lane, region), deque()).append(waiter)
        self._look()
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and (leaving := waiter.result()):
                leaving.departure.withdrawn()
            raise

    def _look(self) -> Share:
        """Let depart what may depart now, and see to it that somebody looks again in time."""
        now = self._clock.now()
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
            waiters.popleft().set_result(Leaving(self._pace.depart(now), share.lease, lane))
            self._waiting[waiting[lane]] = waiters
            waiting = self._those_in_line()
        if (waiting or self._shut_out) and self._waking is None:
            moment = min(self._pace.earliest() if share.total else share.until, now + LONGEST_LOOK)
            self._waking = asyncio.create_task(self._wake(moment - now), name="next departure")
        return share

    def _count_withheld(self, now: float, share: Share, is_waited_for: bool) -> None:
        if self._withheld is not None:
            since, by = self._withheld
            metrics.QUOTA_WITHHELD_SECONDS.labels(by).inc(max(0.0, now - since))
        self._withheld = (now, share.withheld_by) if is_waited_for and not share.total else None

    async def _wake(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._waking = None
        self._look()

    def _those_in_line(self) -> Mapping[str, tuple[str, str]]:
        """
        Return the line of each lane that is next, of those that have somebody waiting; who gave up is let go.

        A lane's regions take turns: one that is coming back is asked little, and would take long to show that it is
        well again behind all who wait for the other.
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


class Paced:
    """
    A `Moderator` whose questions depart in the order they came, lane by lane, no faster than the pace allows.

    None departs whose message is another replica's by now: `Lost` escapes.
    """

    def __init__(
        self,
        inner: Moderator,
        departures: Departures,
        pace: Pace,
        flight: Flight,
        owns: Callable[[Partition, int], bool],
        clock: Clock,
        region: str = "",
    ) -> None:
        self._inner = inner
        self._region = region
        self._departures = departures
        self._pace = pace
        self._flight = flight
        self._owns = owns
        self._clock = clock

    async def ask(self, question: Question) -> Answer:
        leaving = await self._departures.next(question.lane, self._region, paid=question.paid)
        if not self._owns(question.partition, question.tenure):
            leaving.departure.withdrawn()
            raise Lost(f"{question.partition.topic}/{question.partition.number}")
        try:
            with self._flight:
                answer = await self._inner.ask(replace(question, on_sent=partial(self._send, leaving, question)))
        except Throttled:
            self._pace.throttled(self._clock.now())
            metrics.LANE_THROTTLED.labels(question.lane).inc()
            raise
        except CallFailed:
            self._pace.answered()
            raise
        except Overtaken:
            leaving.departure.withdrawn()
            raise
        finally:
            leaving.departure.sent(self._clock.now())  # for a call that never went out
        self._pace.answered()
        return answer

    def _send(self, leaving: Leaving, question: Question) -> None:
        self._departures.send(leaving)
        if question.received is not None and question.attempt == 1:
            metrics.QUEUE_SECONDS.observe(self._clock.wall() - question.received)
