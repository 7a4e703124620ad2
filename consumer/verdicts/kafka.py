"""
Make outcomes durable: an idempotent producer, acknowledged by all in-sync replicas.

An outcome is sent until it is acknowledged. Where the acknowledgement is lost nobody knows whether it was written; so
the output topics are read before it is sent again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

from consumer.clock import Clock, ends_within
from consumer.config import KafkaSettings
from consumer.flight import Flight
from consumer.kafka_access import KafkaAccess
from consumer.observability import metrics
from consumer.verdicts.doubts import Doubts
from consumer.verdicts.encode import Encoded
from consumer.verdicts.outcomes import Outcome

log = structlog.get_logger()

DEAD_LETTER_HEADROOM = 16_384  # bytes that a dead letter's headers may add to the message
RETRY_DELAY = 1.0  # seconds
REFUSED_DELAY = 10.0  # seconds until an outcome that is too large for its topic is tried again
PATIENCE = 0.5  # seconds without an acknowledgement after which nothing more is paid for …
LONG_PATIENCE = 2.0  # … and readiness says so
STOP_DEADLINE = 2.0  # seconds


@dataclass(slots=True, eq=False)
class Sending:
    """An outcome that is not acknowledged yet."""

    topic: str
    since: float  # by the clock's `now`
    error: str | None = None
    refused: bool = False  # the topic does not take it; that is no outage


@dataclass(slots=True, eq=False)
class Producer:
    """An aiokafka producer and how many outcomes it still has to send."""

    client: AIOKafkaProducer
    sending: int = 0


class KafkaSink:
    """Publishes verdicts and dead letters."""

    def __init__(
        self,
        settings: KafkaSettings,
        access: KafkaAccess,
        doubts: Doubts,
        flight: Flight,
        clock: Clock,
        request_timeout: float,
    ) -> None:
        self._settings = settings
        self._access = access
        self._doubts = doubts
        self._flight = flight
        self._clock = clock
        self._request_timeout = request_timeout
        self._producer: Producer
        self._renewing = asyncio.Lock()
        self.acknowledged: Callable[[float, int, int], None] = lambda *_: None
        """Told when a record was sent (unix seconds), and the timestamp (milliseconds) and its type that it got."""
        self._replaced: list[Producer] = []  # by another one, and not stopped yet
        self._sending: dict[Sending, None] = {}  # the oldest first
        self._moved = asyncio.Event()  # one of them has ended, or been refused

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        settings: KafkaSettings,
        access: KafkaAccess,
        doubts: Doubts,
        flight: Flight,
        clock: Clock,
        request_timeout: float = 40.0,
    ) -> AsyncIterator["KafkaSink"]:
        """
        Hold a producer until the context ends. Waits for as long as no broker lets us in.

        A batch whose partition has no leader is given up after `request_timeout` seconds.
        """
        sink = cls(settings, access, doubts, flight, clock, request_timeout)
        try:
            await access.enter(clock)
            sink._producer = await sink._started()
            yield sink
        finally:
            await sink._close()

    async def room(self) -> None:
        while not self.takes_more():
            await self._moved.wait()

    def takes_more(self) -> bool:
        """Whether outcomes are acknowledged in time; while they are not, nothing more may be paid for."""
        oldest = next((each for each in self._sending if not each.refused), None)
        return oldest is None or self._clock.now() - oldest.since < PATIENCE

    def reasons_not_ready(self) -> list[str]:
        """Say which outcomes Kafka does not take."""
        late = [each for each in self._sending if self._clock.now() - each.since >= LONG_PATIENCE]
        if not late:
            return []
        topics = ", ".join(sorted({each.topic for each in late}))
        errors = ", ".join(sorted({each.error for each in late if each.error})) or "no answer"
        longest = max(self._clock.now() - each.since for each in late)
        return [f"kafka: {len(late)} outcomes for {topics} are not acknowledged for {longest:.0f} s: {errors}"]

    async def publish(self, outcome: Outcome) -> None:
        topic, record = outcome.topic, outcome.record
        sending, began = Sending(topic, self._clock.now()), self._clock.wall()
        self._sending[sending] = None
        metrics.PUBLISHES_PENDING.set(len(self._sending))
        try:
            with self._flight:
                while not await self._is_sent(topic, record, sending):
                    if sending.refused and outcome.smaller is not None:
                        record = outcome.smaller()
                    if await self._doubts.is_published(outcome.id, began):
                        return
        finally:
            del self._sending[sending]
            self._something_moved()
            metrics.PUBLISHES_PENDING.set(len(self._sending))

    async def _is_sent(self, topic: str, record: Encoded, sending: Sending) -> bool:
        """Send once; False where it may have been written or not. What no attempt will mend is raised."""
        producer = self._producer
        producer.sending += 1
        try:
            sent_at = self._clock.wall()
            stored = await producer.client.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
        except TopicAuthorizationFailedError:
            raise
        except KafkaError as error:
            metrics.PUBLISH_RETRIES.inc()
            sending.error = type(error).__name__
            sending.refused = isinstance(error, MessageSizeTooLargeError)
            self._something_moved()
            log.warning("outcome.not_acknowledged", topic=topic, error=sending.error)
        else:
            self.acknowledged(sent_at, stored.timestamp, stored.timestamp_type)
            return True
        finally:
            producer.sending -= 1
        await self._clock.sleep(REFUSED_DELAY if sending.refused else RETRY_DELAY)
        await self._renew(producer)
        return False

    def _something_moved(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _renew(self, failed: Producer) -> None:
        """
        Take another producer. aiokafka 0.14 numbers a batch before it is sent, so one that fails leaves a gap, behind
        which the broker refuses everything.
        """
        async with self._renewing:
            if self._producer is failed:
                self._producer = await self._started()
                self._replaced.append(failed)
            for idle in [each for each in self._replaced if not each.sending]:
                self._replaced.remove(idle)
                await self._stop(idle)

    async def _started(self) -> Producer:
        while True:
            client = AIOKafkaProducer(
                **self._access.options,
                acks="all",
                enable_idempotence=True,
                max_request_size=self._settings.max_message_bytes + DEAD_LETTER_HEADROOM,
                request_timeout_ms=round(self._request_timeout * 1000),
            )
            self._access.adopt(client)
            try:
                await client.start()
            except KafkaConnectionError:
                await client.stop()
                servers = self._settings.bootstrap_servers
                log.warning("kafka.unreachable", bootstrap_servers=servers, retry_in=RETRY_DELAY)
                await self._clock.sleep(RETRY_DELAY)
            except BaseException:
                await client.stop()
                raise
            else:
                return Producer(client)

    async def _close(self) -> None:
        current = [self._producer] if hasattr(self, "_producer") else []
        await asyncio.gather(*(self._stop(each) for each in current + self._replaced))

    async def _stop(self, producer: Producer) -> None:
        # With the brokers away aiokafka 0.14 waits for ever for a batch that it could not send.
        if not await ends_within(STOP_DEADLINE, producer.client.stop()):
            log.warning("producer.not_stopped", seconds=STOP_DEADLINE)
