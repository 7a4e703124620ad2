"""
Which region is asked, and when the provider is asked at all.

    (slot) ──► Regions waits for a permit of the first region that gives one ──► (pace) ──► Guarded ──► the call
                                                                                              │
                        the region's breaker for this service ◄── how the call ended ─────────┘

The region is chosen once the request has its slot: while many wait for slots, regions go and come back. A request that
must wait for a permit gives its slot back, and takes another before all others. Its permit is looked at once more when
the call departs, because the breaker may have opened while the request waited for its moment. A call that may not be
sent any more, because the breaker opened or the lease of the quota ended, waits here again.

The second region, which must share the first one's configuration at the provider, is asked while the first one's
breaker is open, and about a request that the first one has failed twice. The account is the same everywhere, so what
it is refused in one region is not tried in another.

Requests that have failed before come back to wait here, so one that has not must be able to wait beside them: images
that fail for reasons of their own would else be all that is ever tried, and an outage that they began would not end.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from math import inf
from typing import Any

from consumer.clock import Clock
from consumer.dispatch.gate import GrantRevoked
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import AccountRefused, CallFailed, InputRefused, ProviderFailed
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.breaker import Breaker, BreakerLimits, Permit
from consumer.moderation.breaker_changes import BreakerChanges
from consumer.observability import metrics
from consumer.records import ModerationResult

FIRST_REGION_ATTEMPTS = 2


class Region:
    """One of the provider's regions: how to ask it, and its breakers by service."""

    def __init__(self, name: str, moderator: Moderator, limits: BreakerLimits) -> None:
        self.name = name
        self.moderator = moderator
        self.breakers: dict[str, Breaker] = defaultdict(lambda: Breaker(limits))


class Regions:
    """A `Moderator` that asks the first region which may be asked, and waits while none may."""

    def __init__(self, regions: Sequence[Region], clock: Clock, waits: InterruptibleWaits) -> None:
        self._regions = tuple(regions)
        self._clock = clock
        self._waits = waits
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # wake in the order they came
        self._new = 0  # requests that wait for a permit and have not been sent yet
        self._moved = asyncio.Event()
        self._changes = BreakerChanges()

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        while True:
            region, permit = await self._permit(request.service, call)
            call.region, call.permit = region.name, permit
            try:
                if call.slot is not None:
                    with contextlib.nullcontext() if call.paid else self._waits.interruptible():
                        await call.slot.take()
                return await region.moderator.ask(request, call)
            except GrantRevoked:
                continue
            finally:
                permit.abandoned()  # a request that was cancelled on its way has returned it nowhere else
                breaker = region.breakers[request.service]
                self._changes.look(region.name, request.service, breaker, self._clock.now())
                self._wake()

    def has_capacity(self) -> bool:
        """Whether no request waits for a permit, but for those that have failed before."""
        return not self._new

    async def wait_for_capacity(self) -> None:
        """Wait until there is capacity."""
        while not self.has_capacity():
            await self._moved.wait()

    def reasons_not_ready(self) -> list[str]:
        """Say which services are held back at the moment, and why."""
        now = self._clock.now()
        return [
            reason
            for region in self._regions
            for service, breaker in region.breakers.items()
            for is_waited_for in [self._turns[service].locked()]
            if (
                reason := breaker.reason_not_ready(
                    service,
                    region.name,
                    now,
                    is_waited_for=is_waited_for,
                    is_asked=is_waited_for or self._waits.any_waiting,
                )
            )
        ]

    async def _permit(self, service: str, call: CallContext) -> tuple[Region, Permit]:
        turn, attempt = self._turns[service], call.attempt
        if not turn.locked() and not isinstance(found := self._find(service, attempt), float):
            return found
        if call.slot is not None:
            call.slot.give_back()
        with self._waits.interruptible():
            is_new = attempt == 1
            self._new += is_new
            try:
                async with turn:
                    while isinstance(found := self._find(service, attempt), float):
                        began = self._clock.now()
                        await self._something(found)
                        metrics.QUOTA_WITHHELD_SECONDS.labels("provider").inc(self._clock.now() - began)
                    return found
            finally:
                self._new -= is_new
                self._wake()

    def _find(self, service: str, attempt: int) -> tuple[Region, Permit] | float:
        """Take a permit of the best region that gives one now, or say in how many seconds one may."""
        now = self._clock.now()
        soonest = inf
        for region in self._regions if attempt <= FIRST_REGION_ATTEMPTS else self._regions[::-1]:
            breaker = region.breakers[service]
            wait = breaker.wait(now)
            if wait <= 0:
                return region, breaker.permit(now)
            soonest = min(soonest, wait)
            if isinstance(breaker.cause, AccountRefused):
                break
        return soonest

    async def _something(self, seconds: float) -> None:
        """Return after some seconds, or when a call has come back."""
        moved = asyncio.ensure_future(self._moved.wait())
        waits: list[asyncio.Future[Any]] = [moved]
        if seconds != inf:
            waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _wake(self) -> None:
        """Wake all waiting requests."""
        self._moved.set()
        self._moved = asyncio.Event()


class Guarded:
    """
    A `Moderator` that lets only calls with a valid permit depart, and reports their ends to the breaker.

    A failure carries how many other requests were answered whose calls departed after this request's first one: if
    any were, it is not a sign of an outage.
    """

    def __init__(self, inner: Moderator, region: str, answered_services: set[str], clock: Clock) -> None:
        """`answered_services` are those that have ever answered, in any region; shared by all regions."""
        self._inner = inner
        self._region = region
        self._answered_services = answered_services
        self._clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        permit = call.permit
        assert permit is not None, "Regions gives every request its permit"
        if not permit.depart():
            raise GrantRevoked
        assert permit.departure is not None
        first_departure = call.first_departures.setdefault(self._region, permit.departure)
        try:
            answer = await self._inner.ask(request, call)
        except CallFailed as error:
            failure = self._blamed(error, request.service)
            call.others_answered = permit.others_answered_since(first_departure)
            if not isinstance(failure, ProviderFailed | AccountRefused):
                permit.answered()
            elif not call.others_answered:
                permit.failed(failure, self._clock.now())
            raise failure from error.__cause__
        permit.succeeded()
        self._answered_services.add(request.service)
        return answer

    def _blamed(self, failure: CallFailed, service: str) -> CallFailed:
        """What has never been accepted is our configuration, such as the service's name, and no image's fault."""
        if isinstance(failure, InputRefused) and service not in self._answered_services:
            return AccountRefused(failure.code)
        return failure
