"""
Make outcomes durable: an idempotent producer, acknowledged by all in-sync replicas.

An outcome is sent until it is acknowledged. Where the acknowledgement is lost nobody knows whether it was written; so
the output topics are read before it is sent again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
)

from consumer.clock import Clock, ends_within
from consumer.config import KafkaSettings
from consumer.errors import Undecodable
from consumer.flight import Flight
from consumer.observability import metrics
from consumer.records import Decision, Delivery, SourceId, Verdict, source_id
from consumer.verdicts.doubts import Doubts
from consumer.verdicts.encode import Encoded, Encoding

log = structlog.get_logger()

DEAD_LETTER_HEADROOM = 16_384  # bytes that a dead letter's headers may add to the message
RETRY_DELAY = 1.0  # seconds
REFUSED_DELAY = 10.0  # seconds until an outcome that is too large for its topic is tried again
PATIENCE = 2.0  # seconds without an acknowledgement after which nothing more is paid for
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
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class KafkaSink:
    """Publishes verdicts and dead letters."""

    def __init__(
        self,
        settings: KafkaSettings,
        encoding: Encoding,
        doubts: Doubts,
        flight: Flight,
        clock: Clock,
        new_client: Callable[[KafkaSettings], AIOKafkaProducer],
    ) -> None:
        self._settings = settings
        self._encoding = encoding
        self._doubts = doubts
        self._flight = flight
        self._clock = clock
        self._new_client = new_client
        self._producer: Producer
        self._renewing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._sending: dict[Sending, None] = {}  # the oldest first
        self._dead_letters = settings.outputs.dead_letter
        self._topics = {
            Decision.BLOCK: settings.outputs.block,
            Decision.REVIEW: settings.outputs.review,
            Decision.PASS: settings.outputs.pass_,
        }

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        settings: KafkaSettings,
        encoding: Encoding,
        doubts: Doubts,
        flight: Flight,
        clock: Clock,
        new_client: Callable[[KafkaSettings], AIOKafkaProducer] | None = None,
    ) -> AsyncIterator["KafkaSink"]:
        """Hold a producer until the context ends. Waits for as long as no broker can be reached."""
        sink = cls(settings, encoding, doubts, flight, clock, new_client or idempotent_producer)
        try:
            sink._producer = await sink._started()
            yield sink
        finally:
            await sink._close()

    async def publish(self, verdict: Verdict) -> None:
        record = self._encoding.verdict(verdict)
        await self._send(self._topics[verdict.decision], record, verdict.submission.id)
        metrics.VERDICTS.labels(verdict.decision.value, verdict.decided_by).inc()
        metrics.SECONDS_TO_VERDICT.observe(self._clock.wall() - verdict.submission.delivery.received)

    async def bury(self, delivery: Delivery, reason: Undecodable) -> None:
        record = self._encoding.dead_letter(delivery, reason, self._clock.wall())
        await self._send(self._dead_letters, record, source_id(self._settings.group_id, delivery))

    def takes_more(self) -> bool:
        """Whether outcomes are acknowledged in time; while they are not, nothing more may be paid for."""
        oldest = next((each for each in self._sending if not each.refused), None)
        return oldest is None or self._clock.now() - oldest.since < PATIENCE

    def reasons_not_ready(self) -> list[str]:
        """Say which outcomes Kafka does not take."""
        late = [each for each in self._sending if self._clock.now() - each.since >= PATIENCE]
        if not late:
            return []
        topics = ", ".join(sorted({each.topic for each in late}))
        errors = ", ".join(sorted({each.error for each in late if each.error})) or "no answer"
        longest = max(self._clock.now() - each.since for each in late)
        return [f"kafka: {len(late)} outcomes for {topics} are not acknowledged for {longest:.0f} s: {errors}"]

    async def _send(self, topic: str, record: Encoded, outcome: SourceId) -> None:
        sending, began = Sending(topic, self._clock.now()), self._clock.wall()
        self._sending[sending] = None
        metrics.PUBLISHES_PENDING.set(len(self._sending))
        try:
            with self._flight:
                while not await self._is_sent(topic, record, sending):
                    if await self._doubts.is_published(outcome, began):
                        return
        finally:
            del self._sending[sending]
            metrics.PUBLISHES_PENDING.set(len(self._sending))

    async def _is_sent(self, topic: str, record: Encoded, sending: Sending) -> bool:
        """Send once; False where it may have been written or not. What no attempt will mend is raised."""
        producer = self._producer
        producer.sending += 1
        producer.idle.clear()
        try:
            await producer.client.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
        except TopicAuthorizationFailedError:
            raise
        except KafkaError as error:
            metrics.PUBLISH_RETRIES.inc()
            sending.error = type(error).__name__
            sending.refused = isinstance(error, MessageSizeTooLargeError)
            log.warning("outcome.not_acknowledged", topic=topic, error=sending.error)
        else:
            return True
        finally:
            producer.sending -= 1
            if not producer.sending:
                producer.idle.set()
        await self._clock.sleep(REFUSED_DELAY if sending.refused else RETRY_DELAY)
        await self._renew(producer)
        return False

    async def _renew(self, failed: Producer) -> None:
        """
        Take another producer. aiokafka 0.14 numbers a batch before it is sent, so one that fails leaves a gap, behind
        which the broker refuses everything.
        """
        async with self._renewing:
            if self._producer is failed:
                self._producer = await self._started()
                retiring = asyncio.create_task(_retire(failed), name="retire producer")
                self._retiring.add(retiring)
                retiring.add_done_callback(self._retiring.discard)

    async def _started(self) -> Producer:
        while True:
            client = self._new_client(self._settings)
            try:
                await client.start()
            except KafkaConnectionError:
                await client.stop()
                servers = self._settings.bootstrap_servers
                log.warning("kafka.unreachable", bootstrap_servers=servers, retry_in=RETRY_DELAY)
                await self._clock.sleep(RETRY_DELAY)
            else:
                return Producer(client)

    async def _close(self) -> None:
        for retiring in self._retiring:
            retiring.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)
        # With the brokers away aiokafka 0.14 waits for ever for a batch that it could not send.
        if hasattr(self, "_producer") and not await ends_within(STOP_DEADLINE, self._producer.client.stop()):
            log.warning("producer.not_stopped", seconds=STOP_DEADLINE)


def idempotent_producer(settings: KafkaSettings, request_timeout: float = 40.0) -> AIOKafkaProducer:
    """A client that is not started. It gives up a batch after `request_timeout` seconds without a leader."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        client_id=settings.client_id,
        acks="all",
        enable_idempotence=True,
        max_request_size=settings.max_message_bytes + DEAD_LETTER_HEADROOM,
        request_timeout_ms=round(request_timeout * 1000),
    )


async def _retire(producer: Producer) -> None:
    """Stop a producer once those who still send with it have their answers."""
    with contextlib.suppress(ProducerClosed):
        if producer.sending:
            await producer.idle.wait()
        await ends_within(STOP_DEADLINE, producer.client.stop())
