"""
Which region is asked, and when the provider is asked at all.

    (slot) ──► Regions waits for a permit of the first region that gives one ──► (pace) ──► Guarded ──► the call
                                                                                              │
                        the region's breaker for this service ◄── how the call ended ─────────┘

An image that must be uploaded needs a permit of the region's temporary store first, which has a breaker of its own
(`uploaded.py`): images that need no store are asked about while it fails. It is uploaded where its service may be
asked, and comes back for the permit of that.

The region is chosen once the request has its slot: while many wait for slots, regions go and come back. A request that
must wait for a permit gives its slot back, and takes another before all others. Its permit is looked at once more when
the call departs, because the breaker may have opened while the request waited for its moment. A call that may not be
sent any more, because the breaker opened or the lease of the quota ended, waits here again.

The second region, which must share the first one's configuration at the provider, is asked while the first one's
breaker is open, and about a request of which two calls to the first one, or to its store, have failed. The account is
the same everywhere, so what it is refused in one region is not tried in another.

Requests that have failed before come back to wait here, so one that has not must be able to wait beside them: images
that fail for reasons of their own would else be all that is ever tried, and an outage that they began would not end.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import NamedTuple

from consumer.clock import Clock
from consumer.dispatch.gate import GrantRevoked
from consumer.dispatch.waits import Changes, InterruptibleWaits, change_or_time
from consumer.errors import AccountRefused, CallFailed, CopyUnreachable, InputRefused, ProviderFailed, Unreachable
from consumer.locations import ByObject, ByUpload
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.breaker import Breaker, BreakerLimits, Permit
from consumer.moderation.breaker_changes import BreakerChanges
from consumer.observability import metrics
from consumer.records import ModerationResult

Blamed = Callable[[CallFailed], CallFailed]

FIRST_REGION_ATTEMPTS = 2
STORE = "temporary store"
"""Has a breaker in each region beside those of the services."""
UPLOADS_AHEAD = 64
"""Requests that wait for a store when no more messages begin. Fewer: images that need none can be begun meanwhile."""


class Region:
    """One of the provider's regions: how to ask it, and its breakers by service, and that of its temporary store."""

    def __init__(self, name: str, moderator: Moderator, limits: BreakerLimits) -> None:
        self.name = name
        self.moderator = moderator
        self.breakers: dict[str, Breaker] = defaultdict(lambda: Breaker(limits))


class Asked(NamedTuple):
    """What is asked: a service about images, or about copies in the temporary store."""

    service: str
    about_copies: bool = False


class _Line(NamedTuple):
    """
    Who waits for permits behind one another: requests that may be asked in the same places. Those that may have to
    upload wait apart, by the regions that hold a copy.
    """

    service: str
    uploads: bool = False
    copies: tuple[str, ...] = ()


class Found(NamedTuple):
    """A permit: in which region, and of which service's breaker, or the store's."""

    region: Region
    name: str
    permit: Permit


class Regions:
    """A `Moderator` that asks the first region which may be asked, and waits while none may."""

    def __init__(self, regions: Sequence[Region], clock: Clock, waits: InterruptibleWaits) -> None:
        self._regions = tuple(regions)
        self._clock = clock
        self._waits = waits
        self._turns: dict[_Line, asyncio.Lock] = defaultdict(asyncio.Lock)  # wake in the order they came
        self._new = {False: 0, True: 0}  # requests that wait for a permit and have not been sent yet; True: uploads
        self._moved = Changes()
        self._changes = BreakerChanges()

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        while True:
            region, name, permit = await self._permit(request, call)
            call.region = region.name
            call.permit, call.store_permit = (None, permit) if name == STORE else (permit, None)
            try:
                if call.slot is not None:
                    with contextlib.nullcontext() if call.paid else self._waits.interruptible():
                        await call.slot.take(first=not isinstance(request.location, ByUpload))
                return await region.moderator.ask(request, call)
            except GrantRevoked:
                continue
            finally:
                permit.abandoned()  # a request that was cancelled on its way has returned it nowhere else
                self._changes.look(region.name, name, region.breakers[name], self._clock.now())
                self._moved.notify()

    def has_capacity(self) -> bool:
        """Whether no request waits for a permit, but for those that have failed before, and some uploads."""
        return not self._new[False] and self._new[True] < UPLOADS_AHEAD

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
            for is_waited_for in [self._is_waited_for(service)]
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

    def _is_waited_for(self, name: str) -> bool:
        """Tell whether a request waits for a permit of this service's, or of the store's."""
        return any(
            turn.locked()
            for line, turn in self._turns.items()
            if name == line.service or (name == STORE and line.uploads)
        )

    async def _permit(self, request: ModerationRequest, call: CallContext) -> Found:
        uploads = isinstance(request.location, ByUpload)
        turn = self._turns[self._line(request, call)]
        if not turn.locked() and not isinstance(found := self._find(request, call), float):
            return found
        if call.slot is not None:
            call.slot.give_back()
        with self._waits.interruptible():
            is_new = call.attempt == 1
            self._new[uploads] += is_new
            try:
                async with turn:
                    while isinstance(found := self._find(request, call), float):
                        began = self._clock.now()
                        await self._something(found)
                        metrics.QUOTA_WITHHELD_SECONDS.labels("provider").inc(self._clock.now() - began)
                    return found
            finally:
                self._new[uploads] -= is_new
                self._moved.notify()

    def _line(self, request: ModerationRequest, call: CallContext) -> _Line:
        if not isinstance(request.location, ByUpload):
            return _Line(request.service)
        now, nth = self._clock.now(), request.location.nth
        copies = [region.name for region in self._regions if call.copies.in_region(region.name, now, nth) is not None]
        return _Line(request.service, not (copies and call.copies.only_these), tuple(copies))

    def _find(self, request: ModerationRequest, call: CallContext) -> Found | float:
        """Take a permit of the best region that gives one now, or say in how many seconds one may."""
        now = self._clock.now()
        soonest = inf
        nth = request.location.nth if isinstance(request.location, ByUpload) else 0
        only_copies = call.copies.only_these and call.copies.any(now, nth)
        has_failed = call.failures[self._regions[0].name] >= FIRST_REGION_ATTEMPTS
        for region in self._regions[::-1] if has_failed else self._regions:
            if only_copies and call.copies.in_region(region.name, now, nth) is None:
                continue
            names = (request.service, STORE) if _must_upload(request, call, region, now) else (request.service,)
            breakers = [region.breakers[name] for name in names]
            wait = max(breaker.wait(now) for breaker in breakers)
            if wait <= 0:
                return Found(region, names[-1], breakers[-1].permit(now))
            soonest = min(soonest, wait)
            if isinstance(breakers[0].cause, AccountRefused):
                break
        return soonest

    async def _something(self, seconds: float) -> None:
        """Return after some seconds, or when a call has come back since this was called."""
        await change_or_time(self._moved.next(), seconds, self._clock)


def _must_upload(request: ModerationRequest, call: CallContext, region: Region, now: float) -> bool:
    location = request.location
    return isinstance(location, ByUpload) and call.copies.in_region(region.name, now, location.nth) is None


@contextlib.contextmanager
def reported(
    permit: Permit, call: CallContext, to: str, clock: Clock, blamed: Blamed = lambda failure: failure
) -> Iterator[None]:
    """
    Let a call depart, if its permit is still valid, and report to its breaker how it ends.

    `to` names what is called, for the number of the request's first call there; `blamed` says whose a failure is.

    Raises:
        GrantRevoked: the permit is not valid any more.
        CallFailed: the call's.
    """
    if not permit.depart():
        raise GrantRevoked
    assert permit.departure is not None
    first_departure = call.first_departures.setdefault(to, permit.departure)
    try:
        yield
    except CallFailed as error:
        failure = blamed(error)
        call.failures[call.region] += 1
        call.others_answered = permit.others_answered_since(first_departure)
        if not isinstance(failure, ProviderFailed | AccountRefused):
            permit.answered()
        elif failure.is_counted and not call.others_answered:
            permit.failed(failure, clock.now())
        try:
            raise failure from error.__cause__
        finally:
            del failure  # or it and this frame would hold each other
    permit.succeeded()


def _asked(request: ModerationRequest) -> Asked:
    is_copy = isinstance(request.location, ByObject) and request.location.region is None
    return Asked(request.service, is_copy)


class Guarded:
    """
    A `Moderator` that lets only calls with a valid permit depart, and reports their ends to the breaker.

    A failure carries how many other requests were answered whose calls departed after this request's first one: if
    any were, it is not a sign of an outage.
    """

    def __init__(self, inner: Moderator, region: str, answered: set[Asked], clock: Clock) -> None:
        """`answered` is what was ever answered, in any region; shared by all regions."""
        self._inner = inner
        self._region = region
        self._answered = answered
        self._clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        permit = call.permit
        assert permit is not None, "Regions gives every request its permit"
        asked = _asked(request)
        with reported(permit, call, self._region, self._clock, partial(self._blamed, asked)):
            answer = await self._inner.ask(request, call)
        self._answered.add(asked)
        return answer

    def _blamed(self, asked: Asked, failure: CallFailed) -> CallFailed:
        """
        What has never been accepted is our configuration, such as the service's name, and no image's fault; nor is it
        that the provider cannot read its own store.
        """
        if isinstance(failure, InputRefused) and asked not in self._answered:
            return failure.sorted_as(AccountRefused)
        if isinstance(failure, Unreachable) and asked.about_copies:
            return failure.sorted_as(CopyUnreachable)
        return failure
