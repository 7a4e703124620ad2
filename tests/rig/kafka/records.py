"""
Puts records into a topic and reads a whole topic back, on any broker and without a consumer group.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.structs import RecordMetadata

Headers = Sequence[tuple[str, bytes | None]]

READ_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to publish. Without a partition, its key decides; without a timestamp (milliseconds), the clock does."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None
    timestamp: int | None = None


async def publish(bootstrap_servers: str, topic: str, records: Iterable[NewRecord]) -> list[RecordMetadata]:
    """Publish in order (idempotent, acks=all); once all are acknowledged, return where each one is."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, enable_idempotence=True, acks="all", max_batch_size=256 * 1024
    ) as producer:
        sent = [
            await producer.send(
                topic,
                record.value,
                key=record.key,
                headers=record.headers,
                partition=record.partition,
                timestamp_ms=record.timestamp,
            )
            for record in records
        ]
        return await asyncio.gather(*sent)


async def read_all(
    bootstrap_servers: str, topic: str, *, isolation_level: str = "read_uncommitted"
) -> list[ConsumerRecord]:
    """Everything in the topic up to its end at the time of asking, by partition, then offset. Raises `TimeoutError`."""
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        isolation_level=isolation_level,
        fetch_max_wait_ms=100,
    ) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[ConsumerRecord] = []
        async with asyncio.timeout(READ_TIMEOUT):
            for partition, end in ends.items():
                # The position, not the last record, says that the end is reached: markers and compaction leave gaps.
                while await consumer.position(partition) < end:
                    for batch in (await consumer.getmany(partition, timeout_ms=100)).values():
                        records += [record for record in batch if record.offset < end]
        return sorted(records, key=lambda record: (record.partition, record.offset))
