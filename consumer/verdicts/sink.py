"""
Make outcomes durable: idempotent producers, acknowledged by all in-sync replicas.

    sent in a batch ──► acknowledged
       │   └─ refused with others ──► sent by itself ──► refused: `OutcomeRefused`, what becomes of it is the caller's
       └─ not known ──► looked for in the output topics ──► there, or sent again

An outcome is sent until it is acknowledged. If the acknowledgement is lost, it is not known whether it was written;
so the output topics are read before it is sent again. After a refusal nothing was written, so nothing is looked for.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from math import inf

import structlog
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from consumer.clock import Clock
from consumer.config.kafka import KafkaSettings
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.waits import Changes
from consumer.errors import OutcomeRefused
from consumer.kafka.producing import Refused
from consumer.kafka.security import KafkaAccess
from consumer.observability import metrics
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.producers import Producers
from consumer.verdicts.unconfirmed import UnconfirmedPublishes

log = structlog.get_logger()

RETRY_DELAY = 1.0  # seconds
PATIENCE = 2.0  # seconds without any acknowledgement after which no new calls are made
LONG_PATIENCE = 4.0  # seconds after which readiness says that an outcome waits
LARGE = 16_384  # bytes of a dead letter from which on it is sent by itself, compressed


@dataclass(slots=True, eq=False)
class Sending:
    """An outcome that is not acknowledged yet."""

    topic: str
    since: float  # by the clock's `now`
    alone: bool
    error: str | None = None


@dataclass(slots=True, eq=False)
class KafkaSink:
    """Publishes verdicts and dead letters."""

    settings: KafkaSettings
    producers: Producers
    unconfirmed: UnconfirmedPublishes
    in_flight: InFlight
    clock: Clock
    acknowledged: Callable[[float, int, int], None] = lambda *_: None
    """Told when a record was sent (unix seconds), and the timestamp (milliseconds) and its type that it got."""
    _sending: dict[Sending, None] = field(default_factory=dict)  # the oldest first
    _acknowledged_at: float = -inf  # by the clock's `now`
    _moved: Changes = field(default_factory=Changes)  # one of them has ended

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        settings: KafkaSettings,
        access: KafkaAccess,
        unconfirmed: UnconfirmedPublishes,
        in_flight: InFlight,
        clock: Clock,
        request_timeout: float = 40.0,
    ) -> AsyncIterator["KafkaSink"]:
        """
        Hold producers until the context ends. Waits for as long as no broker accepts us.

        A batch whose partition has no leader is given up after `request_timeout` seconds.
        """
        producers = Producers(access, request_timeout, clock)
        try:
            await access.wait_until_connected(clock)
            await producers.open()
            sink = cls(settings, producers, unconfirmed, in_flight, clock)
            metrics.PUBLISHES_PENDING.set_function(lambda: len(sink._sending))
            yield sink
        finally:
            await producers.close()

    async def wait_for_capacity(self) -> None:
        while not self.takes_more():
            await self._moved.wait()

    def takes_more(self) -> bool:
        """
        Whether outcomes are acknowledged; while they are not, nothing more may be paid for.

        The bound is a number, because a slow network is no outage: at a round trip of 400 ms every outcome waits for
        longer than half a second.
        """
        if not self._sending:
            return True
        if len(self._sending) >= self.settings.max_unacknowledged:
            return False
        oldest = next(iter(self._sending))
        return self.clock.now() - max(oldest.since, self._acknowledged_at) < PATIENCE

    def reasons_not_ready(self) -> list[str]:
        """Say which outcomes Kafka does not take."""
        late = [each for each in self._sending if self.clock.now() - each.since >= LONG_PATIENCE]
        if not late:
            return []
        topics = ", ".join(sorted({each.topic for each in late}))
        errors = ", ".join(sorted({each.error for each in late if each.error})) or "no answer"
        longest = max(self.clock.now() - each.since for each in late)
        return [f"kafka: {len(late)} outcomes for {topics} are not acknowledged for {longest:.0f} s: {errors}"]

    async def publish(self, outcome: Outcome) -> None:
        is_large = len(outcome.record.value or b"") > LARGE
        sending, began = Sending(outcome.topic, self.clock.now(), alone=is_large), self.clock.wall()
        self._sending[sending] = None
        try:
            with self.in_flight:
                while not await self._is_sent(outcome, sending):
                    if await self.unconfirmed.is_published(outcome.id, began):
                        return
        finally:
            del self._sending[sending]
            self._moved.notify()

    async def _is_sent(self, outcome: Outcome, sending: Sending) -> bool:
        """Send until it is written or refused; False if that is not known."""
        sent_at = self.clock.wall()
        try:
            stored = await self._send(outcome, sending)
        except Refused as refused:
            raise OutcomeRefused(refused.word, too_large=refused.too_large) from refused
        except KafkaError as error:
            metrics.PUBLISH_RETRIES.inc()
            sending.error = type(error).__name__
            log.warning("outcome.not_acknowledged", topic=outcome.topic, error=sending.error)
            await self.clock.sleep(RETRY_DELAY)
            return False
        self._acknowledged_at = self.clock.now()
        self.acknowledged(sent_at, stored.timestamp, stored.timestamp_type)
        return True

    async def _send(self, outcome: Outcome, sending: Sending) -> RecordMetadata:
        try:
            return await self.producers.send(outcome.topic, outcome.record, alone=sending.alone)
        except Refused as refused:
            if sending.alone or refused.alone:
                raise
            sending.alone = True  # another record of its batch may be what is refused
            return await self.producers.send(outcome.topic, outcome.record, alone=True)
