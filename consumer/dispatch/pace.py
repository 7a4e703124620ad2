"""
How fast calls may depart. Every attempt counts, first ones and retries alike.

Two rules, and the later of their moments holds, for a share of S calls a second that may change at any time:

    evenness   GCRA at a little less than S a second, with a burst of a few per cent of S, so that a stall of this
               process is caught up
    hard cap   a call departs when fewer than S others were sent in the last 1 s + jitter, or are still to be sent

The cap alone makes the promise: no more than S calls are sent in any sliding second. A token bucket of capacity S lets
2 S through in one, and so does a fixed window across its edge. What counts is when a call's bytes went out, not when it
was let go: a call that has to open its connection first, or whose process is stalled before it writes, goes out late,
and would bunch with those behind it. It is noted afterwards, so never too early. The jitter is what the network may
bunch on the way.

As the cap counts what was sent, and not what was allowed, a share that grows or shrinks bunches nothing. But under the
cap alone each call would depart a window after the Sth before it: the gap of one stall would come back in every window,
and each call that falls into it waits for its end. So evenness is slightly the slower rule, and gaps close.

Throttling halves the rate, because other users of the account use its quota too; a tenth of S comes back every second.
"""

from collections import deque
from math import inf

HEALING = 1.2  # of the jitter, by which calls are spread wider than the cap asks for
CUT = 0.5  # of the rate that throttling leaves
RECOVERY = 0.1  # of the share that comes back a second
SLOWEST = 1.0  # calls a second
PATIENCE = 3.0  # seconds without an answer until readiness says so
# Seconds after the last throttled call from which on that says nothing about now. A call that is tried again comes
# sooner: the provider may ask for a minute at the most, and a backoff takes half of one.
SILENCE = 120.0


class Departure:
    """A call that was let go. It ends in `sent` or `withdrawn`; only the first one counts."""

    __slots__ = ("_goes_out", "_open", "_pace", "_spread")

    def __init__(self, pace: "Pace", spread: float) -> None:
        """`spread` is by how many seconds it has the next one depart later."""
        self._pace = pace
        self._spread = spread
        self._open = True
        self._goes_out = False

    def goes_out(self) -> bool:
        """Note that its bytes are about to go out; True the first time. It does not end with that."""
        is_first, self._goes_out = not self._goes_out, True
        return is_first

    def sent(self, now: float) -> None:
        """Note that its bytes went out, now or before."""
        if self._open:
            self._open = False
            self._pace.sent(now)

    def withdrawn(self) -> None:
        """Note that nothing was sent, nor will be."""
        if self._open:
            self._open = False
            self._pace.withdrawn(self._spread)


class Pace:
    """The moments at which calls may depart. Has no clock: the caller passes the time, in monotonic seconds."""

    def __init__(self, share: int, *, jitter: float = 0.02, burst: float = 0.03) -> None:
        self.window = 1 + jitter
        """Seconds in which no more than the share is sent."""
        self._spread = 1 + HEALING * jitter
        self._share = share
        self._burst = burst
        self._due = -inf  # GCRA's theoretical arrival time
        self._sent: deque[float] = deque()  # when calls were sent that may still count
        self._unsent = 0  # let go, and not sent yet
        self._cut = 1.0  # the part of the share that the last cut left …
        self._cut_at = -inf  # … and when that was
        self._throttled_since: float | None = None  # no call has been answered since
        self._throttled_at = -inf  # the last one

    @property
    def share(self) -> int:
        """Calls a second, before throttling."""
        return self._share

    def change(self, share: int) -> None:
        """Let depart so many calls a second from now on; 0 is none."""
        self._share = share

    def earliest(self) -> float:
        """The moment from which the next call may depart; infinity until a call is sent or the share changes."""
        if not self._share:
            return inf
        surplus = self._unsent + len(self._sent) - self._share
        if surplus < 0:
            return self._even()
        if surplus >= len(self._sent):  # those that are not sent yet use it up
            return inf
        return max(self._even(), self._sent[surplus] + self.window)

    def depart(self, now: float) -> Departure:
        """Note that a call departs at `now`, which is not before `earliest()`."""
        while self._sent and self._sent[0] + self.window <= now:
            self._sent.popleft()
        spread = self._spread / self.rate(now)
        self._due = max(self._due, now) + spread
        self._unsent += 1
        return Departure(self, spread)

    def sent(self, now: float) -> None:
        """See `Departure.sent`."""
        self._unsent -= 1
        self._sent.append(now)

    def withdrawn(self, spread: float) -> None:
        """See `Departure.withdrawn`: another one may have its moment."""
        self._unsent -= 1
        self._due -= spread

    def rate(self, now: float) -> float:
        """Calls a second that may depart at the moment, the share at the most."""
        return self._share * min(1.0, self._cut + max(0.0, now - self._cut_at) * RECOVERY)

    def throttled(self, now: float) -> None:
        """Halve the rate, at most once a second: all calls in flight report the same throttling."""
        if now - self._cut_at >= 1.0 and self._share:
            self._cut = min(1.0, max(SLOWEST, self.rate(now) * CUT) / self._share)
            self._cut_at = now
        if self._throttled_since is None or now - self._throttled_at >= SILENCE:
            self._throttled_since = now
        self._throttled_at = now

    def answered(self) -> None:
        """Note that a call came back and was not throttled."""
        self._throttled_since = None

    def reasons_not_ready(self, now: float) -> list[str]:
        """Say so when every call has been throttled for some time, unless none was sent for long."""
        if self._throttled_since is None or now - self._throttled_at >= SILENCE:
            return []
        if (seconds := now - self._throttled_since) < PATIENCE:
            return []
        return [f"provider: has throttled every call for {seconds:.0f} s; {self.rate(now):.0f} calls a second are sent"]

    def _even(self) -> float:
        # Half the burst is lateness that any share makes up for, though less than a call; the rest is whole calls.
        return self._due - max(self._burst - 1 / self._share, self._burst / 2)
