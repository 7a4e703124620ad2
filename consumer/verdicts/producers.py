"""
The producers of one sink: one that batches, and one that sends each record by itself, made when it is first needed.

What shared a refused batch is sent again by itself before it is called refused. Large dead letters go by themselves
too, compressed: their topic's limit counts what is compressed. Verdicts are not compressed, so that subscribers need no
codec and the hot path no CPU for it; the topic's `compression.type` can do that.

A producer that failed a batch whose fate is unknown is replaced, as aiokafka 0.14 leaves a gap in its numbers then.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import RecordMetadata

from consumer.clock import Clock, ends_within
from consumer.kafka.producing import Refused, producer, refusal, shrink_batches
from consumer.kafka.security import KafkaAccess
from consumer.verdicts.bounds import MOST_DEAD_LETTER
from consumer.verdicts.encode import Encoded

log = structlog.get_logger()

LARGEST_BATCH = 262_144  # bytes: at a round trip of 400 ms batches of 16 KiB leave a third of 100 verdicts a second
SMALLEST_BATCH = 16_384  # bytes
DEAD_LETTER_HEADROOM = 16_384  # bytes that a dead letter's headers may add to the message
HEADROOM = 65_536  # bytes that aiokafka may estimate a record to have beyond what we count
RETRY_DELAY = 1.0  # seconds
STOP_DEADLINE = 2.0  # seconds


@dataclass(slots=True, eq=False)
class Producer:
    """An aiokafka producer and how many records it still has to send."""

    client: AIOKafkaProducer
    sending: int = 0


@dataclass(slots=True, eq=False)
class Kind:
    """One of the two kinds: its producer, once there is one."""

    options: Mapping[str, Any]
    producer: Producer | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class Producers:
    """Sends records, each once. Who is to send what again, and when, is not decided here."""

    def __init__(self, access: KafkaAccess, request_timeout: float, clock: Clock) -> None:
        """A batch whose partition has no leader is given up after `request_timeout` seconds."""
        self._access = access
        self._clock = clock
        self._common = {
            "acks": "all",
            "enable_idempotence": True,
            "max_request_size": MOST_DEAD_LETTER + HEADROOM,
            "request_timeout_ms": round(request_timeout * 1000),
        }
        self._batching = Kind({})
        self._single = Kind({"max_batch_size": 1, "compression_type": "gzip"})
        self._batch_size = LARGEST_BATCH
        self._replaced: list[Producer] = []  # by another one, and not stopped yet

    async def open(self) -> None:
        """Make the producer that batches. Waits for a broker."""
        await self._producer(self._batching)

    async def send(self, topic: str, record: Encoded, *, alone: bool) -> RecordMetadata:
        """
        Send a record once.

        Raises:
            Refused: it was certainly not written; only if `alone` is the refusal the record's own.
            KafkaError: whether it was written is unknown.
        """
        kind = self._single if alone else self._batching
        used = await self._producer(kind)
        used.sending += 1
        batch_size = self._batch_size
        try:
            return await used.client.send_and_wait(topic, record.value, key=record.key, headers=record.headers)
        except Refused as refused:
            if refused.too_large and not refused.alone and batch_size == self._batch_size:  # once a batch
                self._shrink_batches()
            raise
        except Exception as error:
            if refused_by_client := refusal(error, alone=True):
                try:
                    raise refused_by_client from error
                finally:
                    del refused_by_client  # or it and this frame would hold each other
            if kind.producer is used:
                kind.producer = None
                self._replaced.append(used)
            raise
        finally:
            used.sending -= 1

    async def close(self) -> None:
        """Stop them all, within a deadline."""
        current = [kind.producer for kind in (self._batching, self._single) if kind.producer]
        await asyncio.gather(*(self._stop(each) for each in current + self._replaced))

    async def _producer(self, kind: Kind) -> Producer:
        if kind.producer is None:
            async with kind.opening:
                if kind.producer is None:
                    await self._stop_replaced()
                    kind.producer = await self._started(kind)
        return kind.producer

    def _shrink_batches(self) -> None:
        """A topic takes less than the batches have: they grow no larger from now on."""
        if self._batch_size == SMALLEST_BATCH:
            return
        self._batch_size = max(SMALLEST_BATCH, self._batch_size // 2)
        if self._batching.producer:
            shrink_batches(self._batching.producer.client, self._batch_size)
        log.warning("producer.batches_shrunk", bytes=self._batch_size)

    async def _stop_replaced(self) -> None:
        for idle in [each for each in self._replaced if not each.sending]:
            self._replaced.remove(idle)
            await self._stop(idle)

    async def _started(self, kind: Kind) -> Producer:
        options = {"max_batch_size": self._batch_size, **self._common, **kind.options}
        while True:
            client = producer(**self._access.options, **options)
            self._access.register(client)
            try:
                await client.start()
            except KafkaConnectionError:
                await client.stop()
                log.warning("kafka.unreachable", retry_in=RETRY_DELAY)
                await self._clock.sleep(RETRY_DELAY)
            except BaseException:
                await client.stop()
                raise
            else:
                return Producer(client)

    async def _stop(self, replaced: Producer) -> None:
        # With the brokers away aiokafka 0.14 waits for ever for a batch that it could not send.
        if not await ends_within(STOP_DEADLINE, replaced.client.stop()):
            log.warning("producer.not_stopped", seconds=STOP_DEADLINE)
