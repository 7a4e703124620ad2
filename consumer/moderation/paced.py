"""
The layers that wait before a call: for one of the calls at once, and at the gate for its moment.
"""

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

import structlog

from consumer.clock import Clock
from consumer.dispatch.concurrency import ConcurrencyLimit, Slot
from consumer.dispatch.flows import Flow
from consumer.dispatch.gate import Gate, Grant, GrantRevoked
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import CallFailed, ImageRefused, Lost, Throttled, Unreachable
from consumer.locations import ByUpload, ImageLocation, fetched_from
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.moderation.judged_by import PolicyReplaced
from consumer.observability import metrics
from consumer.records import ModerationResult, Partition

log = structlog.get_logger()


class Limited:
    """
    A `Moderator` that holds a slot for each call, waiting for the pace included, but not while it waits for a permit.

    Slots are shared by topic and tenant; images whose hosts fail wait among themselves. The wait for a slot is
    interruptible while the image has cost nothing.
    """

    def __init__(
        self, inner: Moderator, slots: ConcurrencyLimit, hosts: Mapping[str, Hosts], waits: InterruptibleWaits
    ) -> None:
        """`hosts` are those of each input topic: producers of one cannot make a host fail for another."""
        self._inner = inner
        self._limit = slots
        self._hosts = hosts
        self._waits = waits

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        topic, host = call.partition.topic, _host(request.location)
        hosts, later = self._hosts[topic], _is_later_frame(request.location)
        while True:
            fails = hosts.fails(host)
            flow = Flow(topic, None if fails else call.tenant)
            slot = Slot(self._limit, call.lane, flow, call.image, first=call.paid and not later, ahead=later)
            try:
                with contextlib.nullcontext() if call.paid else self._waits.interruptible():
                    await slot.take()
                call.slot = slot
                if fails == hosts.fails(host):  # or else it waits once more, with the others like it
                    return await self._ask(request, call, host)
            finally:
                call.slot = None
                slot.give_back()

    async def _ask(self, request: ModerationRequest, call: CallContext, host: str) -> ModerationResult:
        try:
            answer = await self._inner.ask(request, call)
        except ImageRefused:
            self._note(call, host, fetched=True)
            raise
        except Unreachable:
            if call.attempt == 1:  # an image counts once, however often it is tried
                self._note(call, host, fetched=False)
            raise
        self._note(call, host, fetched=True)
        return answer

    def _note(self, call: CallContext, host: str, *, fetched: bool) -> None:
        if host:
            topic, hosts = call.partition.topic, self._hosts[call.partition.topic]
            failing = hosts.failing
            if hosts.note(host, fetched=fetched):
                log.warning("host.failing" if hosts.fails(host) else "host.recovered", topic=topic, host=host)
            if hosts.failing != failing:
                metrics.HOSTS_FAILING.labels(topic).set(hosts.failing)


def _is_later_frame(location: ImageLocation) -> bool:
    """Whether the first picture of its image is asked about already: something may be paid for it."""
    return isinstance(location, ByUpload) and location.nth > 0


def _host(location: ImageLocation) -> str:
    """Return the host that the image is fetched from; of an object the provider knows it, and it has none."""
    url = fetched_from(location)
    return "" if url is None else urlsplit(url).hostname or ""


class Paced:
    """
    A `Moderator` whose requests depart in the order they came, lane by lane, no faster than the pace allows.

    None departs whose message is another replica's by now: `Lost` escapes; and none that another policy would not make:
    `PolicyReplaced` does.
    """

    def __init__(
        self,
        inner: Moderator,
        gate: Gate,
        pace: Pace,
        in_flight: InFlight,
        owns: Callable[[Partition, int], bool],
        clock: Clock,
        region: str = "",
    ) -> None:
        self._inner = inner
        self._region = region
        self._gate = gate
        self._pace = pace
        self._in_flight = in_flight
        self._owns = owns
        self._clock = clock

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self._must_depart(call)  # what waited for its slot until it was another's takes nobody's moment
        grant = await self._gate.next(call.lane, self._region, paid=call.paid)
        try:
            self._must_depart(call)
        except (Lost, PolicyReplaced):
            self._gate.give_back(grant)
            raise
        call.before_sending = partial(self._send, grant, call)
        call.after_sending = partial(self._sent, grant)
        try:
            with self._in_flight:
                answer = await self._inner.ask(request, call)
        except Throttled:
            self._pace.throttled(self._clock.now())
            metrics.LANE_THROTTLED.labels(call.lane).inc()
            raise
        except CallFailed:
            self._pace.answered()
            raise
        except GrantRevoked:
            grant.departure.withdrawn()
            raise
        except PolicyReplaced:
            self._gate.give_back(grant)
            raise
        finally:
            self._sent(grant)  # for a call of which it is not known when it went out, or whether
            # They hold the call that holds them: nothing of its message would be freed before a garbage collection.
            call.before_sending = call.after_sending = None
        self._pace.answered()
        return answer

    def _must_depart(self, call: CallContext) -> None:
        if not self._owns(call.partition, call.epoch):
            raise Lost(f"{call.partition.topic}/{call.partition.number}")
        if call.judged_by is not None:
            call.judged_by.look()

    def _sent(self, grant: Grant) -> None:
        grant.departure.sent(self._clock.now())

    def _send(self, grant: Grant, call: CallContext) -> None:
        if call.judged_by is not None:
            call.judged_by.look()
        is_first = self._gate.send(grant)
        if call.judged_by is not None:
            call.judged_by.departs()
        if is_first and call.received is not None and call.attempt == 1:
            metrics.QUEUE_SECONDS.observe(self._clock.wall() - call.received)
