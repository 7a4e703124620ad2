"""
How fast calls may depart. Every attempt counts, first ones and retries alike.

Two rules, and the later of their moments holds:

    evenness   GCRA at Q a second, with a burst of a few per cent of Q, so that a stall of this process is caught up
    hard cap   a call departs at least 1 s + jitter after the Qth call before it, and every one before that, was sent

The cap alone makes the promise: no more than Q calls are sent in any sliding second. A token bucket of capacity Q lets
2 Q through in one, and so does a fixed window across its edge. What counts is when a call's bytes went out, not when it
was let go: a call that has to open its connection first goes out late, and would bunch with those behind it. The jitter
is what the network may bunch on the way.

Throttling halves the rate, because somebody else uses the account too; a tenth of Q comes back every second.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from consumer.clock import Clock
from consumer.errors import Lost, Throttled
from consumer.flight import Flight
from consumer.moderation import Moderator, Question
from consumer.moderation.lobby import Lobby
from consumer.records import Answer, Place

CUT = 0.5  # of the rate that throttling leaves
RECOVERY = 0.1  # of the quota that comes back a second
SLOWEST = 1.0  # calls a second
LONGEST_LOOK = 0.05  # seconds after which a call that is not yet sent is looked at again
PATIENCE = 3.0  # seconds without an answer until readiness says so


@dataclass(slots=True, eq=False)
class Departure:
    """A call that was let go."""

    sent_at: float | None = None  # when its bytes went out

    def sent(self, now: float) -> None:
        """Note that its bytes go out, or that they never will. Only the first time counts."""
        if self.sent_at is None:
            self.sent_at = now


class Pace:
    """The moments at which calls may depart. Knows no clock: the caller tells the time, in seconds that only grow."""

    def __init__(self, qps: int, *, jitter: float = 0.02, burst: float = 0.03) -> None:
        self._qps = qps
        self._window = 1 + jitter
        self._burst = max(0.0, qps * burst - 1)
        self._due = float("-inf")  # GCRA's theoretical arrival time
        self._departures: deque[Departure] = deque()  # the last Q
        self._last_sent = float("-inf")  # of all the calls before those
        self._cut_rate = float(qps)  # the rate after the last cut …
        self._cut_at = float("-inf")  # … and when that was
        self._throttled_since: float | None = None  # no call has been answered since

    def earliest(self) -> float:
        """The moment from which the next call may depart; infinity until the Qth call before it has been sent."""
        even = self._due - self._burst / self._qps
        if len(self._departures) < self._qps:
            return even
        sent_at = self._departures[0].sent_at
        return inf if sent_at is None else max(even, max(sent_at, self._last_sent) + self._window)

    def depart(self, now: float) -> Departure:
        """Note that a call departs at `now`, which is not before `earliest()`."""
        self._due = max(self._due, now) + 1 / self.rate(now)
        if len(self._departures) == self._qps:
            sent_at = self._departures.popleft().sent_at
            assert sent_at is not None, "`earliest` is infinity until then"
            self._last_sent = max(self._last_sent, sent_at)
        departure = Departure()
        self._departures.append(departure)
        return departure

    def rate(self, now: float) -> float:
        """Calls a second that may depart at the moment, `qps` at the most."""
        return min(self._qps, self._cut_rate + max(0.0, now - self._cut_at) * self._qps * RECOVERY)

    def throttled(self, now: float) -> None:
        """Halve the rate, once a second at the most: the calls in flight tell of the same moment."""
        if now - self._cut_at >= 1.0:
            self._cut_rate = max(SLOWEST, self.rate(now) * CUT)
            self._cut_at = now
        if self._throttled_since is None:
            self._throttled_since = now

    def answered(self) -> None:
        """Note that not every call is throttled."""
        self._throttled_since = None

    def reasons_not_ready(self, now: float) -> list[str]:
        """Say so when every call has been throttled for some time."""
        if self._throttled_since is None or (seconds := now - self._throttled_since) < PATIENCE:
            return []
        return [f"provider: throttles every call, for {seconds:.0f} s; {self.rate(now):.0f} a second are sent"]


class Paced:
    """
    A `Moderator` whose questions depart in the order they came, no faster than the pace allows.

    None departs while `may_depart` says no, and none whose message is another replica's by now: `Lost` escapes.
    """

    def __init__(
        self,
        inner: Moderator,
        pace: Pace,
        clock: Clock,
        *,
        flight: Flight,
        lobby: Lobby,
        may_depart: Callable[[], bool],
        owns: Callable[[Place], bool],
    ) -> None:
        self._inner = inner
        self._pace = pace
        self._clock = clock
        self._flight = flight
        self._lobby = lobby
        self._may_depart = may_depart
        self._owns = owns
        self._turn = asyncio.Lock()  # wakes its waiters in the order they came

    async def ask(self, question: Question) -> Answer:
        async with self._turn:
            await self._moment()
            if not self._owns(question.place):
                raise Lost(f"{question.place.topic}/{question.place.partition}")
            departure = self._pace.depart(self._clock.now())
        try:
            with self._flight:
                answer = await self._inner.ask(replace(question, on_sent=lambda: departure.sent(self._clock.now())))
        except Throttled:
            self._pace.throttled(self._clock.now())
            raise
        finally:
            departure.sent(self._clock.now())  # for a call that never went out
        self._pace.answered()
        return answer

    async def _moment(self) -> None:
        """Wait until a call may depart."""
        while True:
            if not self._may_depart():
                with self._lobby.waiting():
                    await self._clock.sleep(LONGEST_LOOK)
            elif (wait := self._pace.earliest() - self._clock.now()) > 0:
                await self._clock.sleep(min(wait, LONGEST_LOOK))
            else:
                return
