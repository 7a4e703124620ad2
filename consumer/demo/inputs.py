"""Publishes uploads, as a pipeline would, and tells how many of them the service has not committed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consumer.demo.outcomes import Published, Source, Upload


class Inputs:
    """The topic that uploads are published to. Made by `publishing`."""

    def __init__(self, producer: AIOKafkaProducer, bootstrap_servers: str, topic: str) -> None:
        self._producer = producer
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic

    async def publish(self, uploads: Sequence[Upload]) -> list[Published]:
        """Publish `uploads` in their order; returns once Kafka has acknowledged all."""
        # librdkafka 2.16's mock cluster acknowledges with a made-up timestamp, so the records bring their own.
        now = round(time.time() * 1000)
        sending = [
            await self._producer.send(
                self._topic, upload.value, key=upload.key, headers=list(upload.headers), timestamp_ms=now
            )
            for upload in uploads
        ]
        acknowledged = await asyncio.gather(*sending)
        return [
            Published(upload, Source(record.partition, record.offset), now / 1000)
            for upload, record in zip(uploads, acknowledged, strict=True)
        ]

    async def uncommitted(self, group: str) -> int:
        """Count the messages behind which `group` has not committed."""
        # Partitions that are assigned by hand make no member: the embedded broker has room for one, the service.
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap_servers, group_id=group, enable_auto_commit=False)
        try:
            await consumer.start()
            partitions = [TopicPartition(self._topic, id_) for id_ in await self._producer.partitions_for(self._topic)]
            consumer.assign(partitions)
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            return sum([ends[partition] - (await consumer.committed(partition) or 0) for partition in partitions])
        finally:
            await consumer.stop()


@asynccontextmanager
async def publishing(bootstrap_servers: str, topics: Sequence[str]) -> AsyncIterator[Inputs]:
    """
    Make the topics, and be able to publish to the first until the context ends. `KafkaError` escapes where no broker
    can be reached.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        for topic in topics:
            await producer.partitions_for(topic)  # the embedded broker creates what is asked for
        yield Inputs(producer, bootstrap_servers, topics[0])
    finally:
        await producer.stop()
