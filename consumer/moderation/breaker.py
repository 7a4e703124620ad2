"""
Whether the provider may be asked at all: one breaker for each service in each region. Values only; `regions.py` waits.

    CLOSED ──── failures, and no success ────► OPEN ──── a probe is answered ────► RAMPING ──── enough ────► CLOSED
                                                ▲                                     │
                                                └────────── failures again ───────────┘

While it is open one call at a time probes, at most one a second, each another image's; one that hangs is not waited
for. While it ramps, calls in flight double with every round of answers, so that a provider that has just come back is
not run over.

One image may fail for reasons of its own, and refusals are quicker than answers. So what counts is a run of failures
without an answer to any call that departed after the first of them, and judgement waits for the calls that departed in
between. An image that always fails, among others that do not, never opens a breaker. The account's refusals need a
shorter run than the provider's failures, because nothing is gained by asking on.
"""

from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush
from math import inf

from consumer.errors import AccountRefused, CallFailed, ProviderFailed


class State(Enum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    RAMPING = "ramping"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When it opens and how it closes."""

    provider_failures: int = 10  # in a run
    account_failures: int = 5  # in a run
    probe_interval: float = 1.0  # seconds
    probe_patience: float = 2.0  # seconds after which a probe that has not come back keeps no other from departing
    others: int = 20  # answers that are remembered, to decide whether a failure is the image's own
    full: int = 64  # calls in flight at which the ramp is over, and failures that need no further judgement
    another_outage: float = 60.0  # seconds of ramping after which it opens for another outage than before


@dataclass(slots=True, eq=False)
class Permit:
    """The right to make one call, unless the breaker opens first. Returned once: with an outcome, or abandoned."""

    _breaker: "Breaker"
    epoch: int
    departure: int | None = None  # the call's number, once it has departed
    returned: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether the breaker has not opened since it was given."""
        return self._breaker.is_valid(self)

    @property
    def probes(self) -> bool:
        """Whether it is valid, and of a breaker that is open."""
        return self.is_valid and self._breaker.state is State.OPEN

    def depart(self) -> bool:
        """Note that the call departs now. False if the breaker has opened since the permit was given: it must not."""
        return self._breaker.depart(self)

    def succeeded(self) -> None:
        """Note that the image was answered."""
        self._breaker.succeeded(self)

    def answered(self) -> None:
        """Note that provider and account answered, whatever the answer says of the image."""
        self._breaker.answered(self)

    def others_answered_since(self, departure: int) -> int:
        """How many images were answered whose calls departed after that one, `BreakerLimits.others` at the most."""
        return self._breaker.others_answered_since(departure)

    def failed(self, failure: ProviderFailed | AccountRefused, now: float) -> None:
        """Note that provider or account failed this call."""
        self._breaker.failed(self, failure, now)

    def abandoned(self) -> None:
        """Note that no more will be known of this call; nothing where it has ended already."""
        self._breaker.abandoned(self)


class Breaker:
    """See the module. The caller passes the time, in monotonic seconds."""

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._epoch = 0
        self._departures = 0
        self._run_began = 0  # the departure whose failure began the run
        self._provider_failures = 0
        self._account_failures = 0
        self._permits = 0  # given and not returned, of this epoch
        self._out: set[int] = set()  # departures that have not come back
        self._latest_answered: list[int] = []  # a heap of the latest departures that were answered
        self._allowed = 0  # permits at once, while it ramps
        self._next_probe = -inf
        self._ramp_seen_at: float | None = None  # the first permit of the ramp
        self.state = State.CLOSED
        self.cause: CallFailed | None = None
        """What opened it, while it is open."""
        self.opened_at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until a permit can be given: 0 is now, infinity is when a call that is out comes back."""
        if self.state is State.CLOSED:
            return 0.0
        if self.state is State.OPEN:
            patience = self._limits.probe_patience - self._limits.probe_interval if self._permits else 0.0
            return max(0.0, self._next_probe + patience - now)
        return inf if self._permits >= self._allowed else 0.0

    def permit(self, now: float) -> Permit:
        """Give a permit; `wait` must be 0."""
        self._permits += 1
        if self.state is State.OPEN:
            self._next_probe = now + self._limits.probe_interval
        elif self.state is State.RAMPING and self._ramp_seen_at is None:
            self._ramp_seen_at = now
        return Permit(self, self._epoch)

    def is_valid(self, permit: Permit) -> bool:
        """See `Permit.is_valid`."""
        return permit.epoch == self._epoch

    def depart(self, permit: Permit) -> bool:
        """See `Permit.depart`."""
        if not self.is_valid(permit):
            return False
        self._departures += 1
        permit.departure = self._departures
        self._out.add(self._departures)
        return True

    def succeeded(self, permit: Permit) -> None:
        """See `Permit.succeeded`."""
        if permit.departure is not None:
            heappush(self._latest_answered, permit.departure)
            if len(self._latest_answered) > self._limits.others:
                heappop(self._latest_answered)
        self.answered(permit)

    def others_answered_since(self, departure: int) -> int:
        """See `Permit.others_answered_since`."""
        return sum(answered > departure for answered in self._latest_answered)

    def answered(self, permit: Permit) -> None:
        """See `Permit.answered`."""
        self._return(permit)
        if permit.departure is None or permit.departure < self._run_began:
            return  # it departed before the failures began and says nothing about now
        self._provider_failures = self._account_failures = 0
        self._run_began = 0
        if self.state is State.OPEN:
            self._enter(State.RAMPING)
            self._allowed = self._permits + 2  # probes that hang take no other call's place
        elif self.state is State.RAMPING:
            self._allowed += 1
            if self._allowed >= self._limits.full:
                self._enter(State.CLOSED)

    def failed(self, permit: Permit, failure: ProviderFailed | AccountRefused, now: float) -> None:
        """See `Permit.failed`."""
        self._return(permit)
        if permit.departure is None or permit.epoch != self._epoch:
            return  # it departed before the breaker opened, and adds nothing to that
        if not self._failures:
            self._run_began = permit.departure
        if isinstance(failure, AccountRefused):
            self._account_failures += 1
        else:
            self._provider_failures += 1
        if self.state is State.OPEN:
            self.cause = failure
        elif self._is_enough(permit.departure):
            self._open(failure, now)

    def abandoned(self, permit: Permit) -> None:
        """See `Permit.abandoned`."""
        self._return(permit)

    def reason_not_ready(
        self, service: str, region: str, now: float, *, is_waited_for: bool, is_asked: bool
    ) -> str | None:
        """
        Say what holds requests to this service in this region back, or None.

        While it ramps that is only so where one waits for a permit: a replica that is asked little would else not be
        ready for as long as it takes to close.

        `is_waited_for`: a request waits for a permit. `is_asked`: one does, or waits to be asked again.
        """
        if self.cause is None or self.opened_at is None:
            return None
        kind, code = self.cause.kind, self.cause.code
        if self.cause.detail:
            code += f" ({self.cause.detail})"
        if self.state is State.RAMPING:
            if not is_waited_for:
                return None
            return (
                f"provider: {service} in {region} gets at most {self._allowed} calls at a time "
                f"after {kind} {code}, as it recovers"
            )
        interval = self._limits.probe_interval
        probes = "one probe a second" if interval == 1 else f"one probe in {interval:g} s"
        if not is_asked and not self._permits:
            probes = "the next image will be the probe"
        return f"provider: {service} in {region} is not asked: {kind} {code} for {now - self.opened_at:.0f} s; {probes}"

    @property
    def _failures(self) -> int:
        return self._provider_failures + self._account_failures

    def _is_enough(self, latest: int) -> bool:
        if self._failures >= self._limits.full:
            return True
        if any(self._run_began < departure < latest for departure in self._out):
            return False
        return (
            self._account_failures >= self._limits.account_failures or self._failures >= self._limits.provider_failures
        )

    def _open(self, cause: CallFailed, now: float) -> None:
        ramped = 0.0 if self._ramp_seen_at is None else now - self._ramp_seen_at
        if self.opened_at is None or ramped >= self._limits.another_outage:
            self.opened_at = now
        self._enter(State.OPEN)
        self._epoch += 1
        self._permits = 0
        self._next_probe = now + self._limits.probe_interval
        self.cause = cause

    def _enter(self, state: State) -> None:
        self.state = state
        self._ramp_seen_at = None
        self._provider_failures = self._account_failures = 0
        if state is State.CLOSED:
            self.cause = self.opened_at = None

    def _return(self, permit: Permit) -> None:
        if permit.returned:
            return
        permit.returned = True
        if permit.departure is not None:
            self._out.discard(permit.departure)
        if permit.epoch == self._epoch:
            self._permits -= 1
