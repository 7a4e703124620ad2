"""
The layers that wait before a call: for one of the calls at once, and at the gate for its moment.
"""

import contextlib
from collections.abc import Callable
from functools import partial

from consumer.clock import Clock
from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.gate import Gate, Grant, GrantRevoked
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import CallFailed, Lost, Throttled
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.observability import metrics
from consumer.records import ModerationResult, Partition


class Limited:
    """
    A `Moderator` that holds a slot for each call, waiting for the pace included.

    The wait for a slot is interruptible while the image has cost nothing.
    """

    def __init__(self, inner: Moderator, slots: ConcurrencyLimit, waits: InterruptibleWaits) -> None:
        self._inner = inner
        self._limit = slots
        self._waits = waits

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        async with contextlib.AsyncExitStack() as stack:
            with contextlib.nullcontext() if call.paid else self._waits.interruptible():
                await stack.enter_async_context(self._limit.slot(call.lane))
            return await self._inner.ask(request, call)


class Paced:
    """
    A `Moderator` whose requests depart in the order they came, lane by lane, no faster than the pace allows.

    None departs whose message is another replica's by now: `Lost` escapes.
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
        grant = await self._gate.next(call.lane, self._region, paid=call.paid)
        if not self._owns(call.partition, call.epoch):
            grant.departure.withdrawn()
            raise Lost(f"{call.partition.topic}/{call.partition.number}")
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
        finally:
            self._sent(grant)  # for a call of which it is not known when it went out, or whether
        self._pace.answered()
        return answer

    def _sent(self, grant: Grant) -> None:
        grant.departure.sent(self._clock.now())

    def _send(self, grant: Grant, call: CallContext) -> None:
        self._gate.send(grant)
        if call.received is not None and call.attempt == 1:
            metrics.QUEUE_SECONDS.observe(self._clock.wall() - call.received)
