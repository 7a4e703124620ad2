"""
Reads the four output topics, as the service's subscribers would: what came, to which topic, for which upload.

Nothing of the service's own code reads the messages here.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from consumer.config.kafka import OutputTopics
from consumer.demo.outcomes import WHOLE, Outcome, Place, Seen, Source


class Outputs:
    """The output topics, read from their beginning and without a group. Made by `reading`."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Mapping[str, Place]) -> None:
        self._consumer = consumer
        self._places = places

    async def poll(self, timeout: float) -> list[Seen]:
        """Return what has come, having waited at most `timeout` seconds for it."""
        polled = await self._consumer.getmany(timeout_ms=round(timeout * 1000))
        return [read_record(record, self._places[record.topic]) for records in polled.values() for record in records]

    async def at_end(self) -> bool:
        """Tell whether all has been read that is there now."""
        partitions = self._consumer.assignment()
        ends: Mapping[Any, int] = await self._consumer.end_offsets(partitions)
        positions = [(await self._consumer.position(partition), ends[partition]) for partition in partitions]
        return all(position >= end for position, end in positions)


@asynccontextmanager
async def reading(bootstrap_servers: str, topics: OutputTopics) -> AsyncIterator[Outputs]:
    """Read the outputs until the context ends. `KafkaError` escapes where no broker can be reached."""
    places = {
        topics.block: Place.BLOCK,
        topics.review: Place.REVIEW,
        topics.pass_: Place.PASS,
        topics.dead_letter: Place.DEAD_LETTER,
    }
    consumer = AIOKafkaConsumer(
        *places,
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,  # librdkafka 2.16's mock cluster answers no sooner when something comes
    )
    try:
        await consumer.start()
        yield Outputs(consumer, places)
    finally:
        await consumer.stop()


def read_record(record: ConsumerRecord[Any, Any], place: Place) -> Seen:
    """Tell which upload a verdict or a dead letter is about, and why it is where it is."""
    headers = {name: (value or b"").decode() for name, value in record.headers}
    if place is Place.DEAD_LETTER:
        return Seen(
            source=_source(headers, "dlq_source_"),
            image=WHOLE,
            outcome=Outcome(place, headers["dlq_reason"]),
            at=record.timestamp / 1000,
            content=headers,
        )
    verdict = orjson.loads(record.value)
    timing = verdict["timing"]
    answered = timing["queued_ms"] is not None
    return Seen(
        source=_source(headers, "source_"),
        image=headers["source_image"],
        outcome=Outcome(place, f"error: {verdict['error']['class']}" if verdict["error"] else verdict["risk_level"]),
        at=record.timestamp / 1000,
        called=datetime.fromisoformat(timing["received"]).timestamp() + timing["queued_ms"] / 1000
        if answered
        else None,
        provider_seconds=timing["provider_ms"] / 1000 if answered else None,
        sha256=verdict["image"]["sha256"],
        frames=verdict["coverage"]["frames"][0] if verdict["coverage"] else None,
        deciding=frozenset(reason["frame"] for reason in verdict["reasons"] if reason.get("frame") is not None),
        content=verdict,
    )


def _source(headers: Mapping[str, str], prefix: str) -> Source:
    return Source(int(headers[f"{prefix}partition"]), int(headers[f"{prefix}offset"]))
