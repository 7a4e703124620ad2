"""
How fast calls may depart. Every attempt counts, first ones and retries alike.

Two rules, and the later of their moments holds:

    evenness   GCRA at Q a second, with a burst of a few per cent of Q, so that a stall of this process is caught up
    hard cap   the call that departs now is at least 1 s + jitter behind the Qth call before it

The cap alone makes the promise: no more than Q departures in any sliding second. A token bucket of capacity Q lets 2 Q
through in one, and so does a fixed window across its edge. The jitter is what the network may bunch on the way.
"""

import asyncio
from collections import deque

from consumer.clock import Clock
from consumer.moderation import Moderator, Question
from consumer.records import Answer


class Pace:
    """The moments at which calls may depart. Knows no clock: the caller tells the time, in seconds that only grow."""

    def __init__(self, qps: int, *, jitter: float = 0.02, burst: float = 0.03) -> None:
        self._interval = 1 / qps
        self._window = 1 + jitter
        self._tolerance = max(0.0, qps * burst - 1) * self._interval
        self._due = float("-inf")  # GCRA's theoretical arrival time
        self._departures: deque[float] = deque(maxlen=qps)

    def earliest(self) -> float:
        """The moment from which the next call may depart."""
        even = self._due - self._tolerance
        if len(self._departures) < (self._departures.maxlen or 0):
            return even
        return max(even, self._departures[0] + self._window)

    def depart(self, now: float) -> None:
        """Note that a call departs at `now`, which is not before `earliest()`."""
        self._due = max(self._due, now) + self._interval
        self._departures.append(now)


class Paced:
    """A `Moderator` whose questions depart in the order they came, no faster than the pace allows."""

    def __init__(self, inner: Moderator, pace: Pace, clock: Clock) -> None:
        self._inner = inner
        self._pace = pace
        self._clock = clock
        self._turn = asyncio.Lock()  # wakes its waiters in the order they came

    async def ask(self, question: Question) -> Answer:
        async with self._turn:
            while (wait := self._pace.earliest() - self._clock.now()) > 0:
                await self._clock.sleep(wait)
            self._pace.depart(self._clock.now())
        return await self._inner.ask(question)
