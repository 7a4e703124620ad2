"""
Make outcomes durable: an idempotent producer, acknowledged by all in-sync replicas.

An outcome is sent until it is acknowledged. One whose acknowledgement was lost may stand twice in its topic; both carry
the same `ce_id`.
"""

import contextlib
from collections.abc import AsyncIterator

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAuthorizationFailedError,
)

from consumer.clock import Clock, ends_within
from consumer.config import KafkaSettings
from consumer.errors import Undecodable
from consumer.kafka_access import KafkaAccess
from consumer.observability import metrics
from consumer.records import Decision, Delivery, Verdict
from consumer.verdicts.encode import Encoded, Encoding

log = structlog.get_logger()

DEAD_LETTER_HEADROOM = 16_384  # bytes that a dead letter's headers may add to the message
RETRY_DELAY = 1.0  # seconds
STOP_DEADLINE = 2.0  # seconds


class KafkaSink:
    """Publishes verdicts and dead letters."""

    def __init__(self, producer: AIOKafkaProducer, settings: KafkaSettings, encoding: Encoding, clock: Clock) -> None:
        self._producer = producer
        self._encoding = encoding
        self._clock = clock
        self._dead_letters = settings.outputs.dead_letter
        self._topics = {
            Decision.BLOCK: settings.outputs.block,
            Decision.REVIEW: settings.outputs.review,
            Decision.PASS: settings.outputs.pass_,
        }

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, settings: KafkaSettings, encoding: Encoding, clock: Clock, access: KafkaAccess | None = None
    ) -> AsyncIterator["KafkaSink"]:
        """Hold a producer until the context ends. Waits for as long as no broker can be reached."""
        access = access or KafkaAccess(settings)
        producer = AIOKafkaProducer(
            **access.options,
            acks="all",
            enable_idempotence=True,
            max_request_size=settings.max_message_bytes + DEAD_LETTER_HEADROOM,
        )
        access.adopt(producer)
        try:
            await access.enter(clock)
            await _reached(producer, settings.bootstrap_servers, clock)
            yield cls(producer, settings, encoding, clock)
        finally:
            # With the brokers away aiokafka 0.14 waits for ever for a batch that it could not send.
            if not await ends_within(STOP_DEADLINE, producer.stop()):
                log.warning("producer.not_stopped", seconds=STOP_DEADLINE)

    async def publish(self, verdict: Verdict) -> None:
        await self._send(self._topics[verdict.decision], self._encoding.verdict(verdict))
        metrics.VERDICTS.labels(verdict.decision.value, verdict.decided_by).inc()
        metrics.SECONDS_TO_VERDICT.observe(self._clock.wall() - verdict.submission.delivery.received)

    async def bury(self, delivery: Delivery, reason: Undecodable) -> None:
        await self._send(self._dead_letters, self._encoding.dead_letter(delivery, reason, self._clock.wall()))

    async def _send(self, topic: str, record: Encoded) -> None:
        while True:
            try:
                await self._producer.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
            except (ProducerFenced, OutOfOrderSequenceNumber, TopicAuthorizationFailedError):
                raise  # this producer will never succeed
            except KafkaError as error:
                metrics.PUBLISH_RETRIES.inc()
                log.warning("outcome.not_acknowledged", topic=topic, error=type(error).__name__)
                await self._clock.sleep(RETRY_DELAY)
            else:
                return


async def _reached(producer: AIOKafkaProducer, bootstrap_servers: str, clock: Clock) -> None:
    while True:
        try:
            await producer.start()
        except KafkaConnectionError:
            log.warning("kafka.unreachable", bootstrap_servers=bootstrap_servers, retry_in=RETRY_DELAY)
            await clock.sleep(RETRY_DELAY)
        else:
            return
