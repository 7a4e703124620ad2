"""
Verdicts, and people's decisions, out of Kafka: from a moment to the end that each partition has now. Commits nothing.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumer.commands.clients import reader
from consumer.commands.offsets import NotAnswered
from consumer.config.kafka import KafkaSettings
from consumer.kafka.admin import admin_client
from consumer.kafka.security import KafkaAccess
from consumer.kafka.unreadable import UnreadableRecord

FETCHED = 4_194_304
"""Bytes that are fetched ahead for each partition."""
_MOST_FETCHED = 33_554_432  # for all partitions
_PATIENCE = 5_000  # milliseconds that a fetch may take
_SILENCE = 12  # fetches that bring nothing, while there is something to read


class Span(NamedTuple):
    """What is to be read of a partition: from this offset to before that one."""

    begin: int
    end: int


class Piece(NamedTuple):
    """What a fetch has brought, and how many offsets are read so far."""

    records: Sequence[Any]  # Kafka's
    read: int


class Reading:
    """Reads topics. Made by `opened`."""

    def __init__(self, consumer: Any, spans: Mapping[TopicPartition, Span], servers: str) -> None:
        self._consumer = consumer
        self._spans = spans
        self._servers = servers
        self.total = sum(span.end - span.begin for span in spans.values())
        """Offsets; some may have no record."""

    async def pieces(self) -> AsyncIterator[Piece]:
        """
        Yield what each fetch brings.

        Raises:
            NotAnswered: no more comes though the end is not reached.
        """
        consumer, spans = self._consumer, self._spans
        for partition, span in spans.items():
            consumer.seek(partition, span.begin)
            if span.begin == span.end:
                consumer.pause(partition)
        positions, silent = {each: span.begin for each, span in spans.items()}, 0
        while left := [each for each, at in positions.items() if at < spans[each].end]:
            fetched = await consumer.getmany(*left, timeout_ms=_PATIENCE)
            silent = 0 if fetched else silent + 1
            if silent >= _SILENCE:
                raise NotAnswered(f"kafka.bootstrap_servers: {self._servers} sends no more of {_named(left)}")
            for partition in left:
                positions[partition] = min(await consumer.position(partition), spans[partition].end)
                if positions[partition] == spans[partition].end:
                    consumer.pause(partition)
            records = [record for each, found in fetched.items() for record in found if record.offset < spans[each].end]
            yield Piece(records, sum(at - spans[each].begin for each, at in positions.items()))


@contextlib.asynccontextmanager
async def opened(settings: KafkaSettings, topics: Sequence[str], since: float) -> AsyncIterator[Reading]:
    """
    Read these topics from a moment in unix seconds.

    Raises:
        NotAnswered: Kafka does not answer, or lacks one of them.
    """
    access = KafkaAccess(settings)
    if refusal := await access.probe():
        raise NotAnswered(f"kafka.bootstrap_servers: {refusal.reason}")
    try:
        async with admin_client(access) as admin:
            there = set(await admin.list_topics())  # a topic that is asked for by name may be created by that
        if missing := [each for each in topics if each not in there]:
            names = ", ".join(missing)
            raise NotAnswered(f"there is no topic {names}: see kafka.outputs, or name files with --verdicts")
        async with reader(
            access, *topics, max_partition_fetch_bytes=FETCHED, fetch_max_bytes=_MOST_FETCHED, fetch_max_wait_ms=200,
            max_batch_bytes=settings.max_batch_bytes,
        ) as consumer:  # fmt: skip
            yield Reading(consumer, await _spans(consumer, topics, since), settings.bootstrap_servers)
    except KafkaError as error:
        servers = settings.bootstrap_servers
        raise NotAnswered(f"kafka.bootstrap_servers: {servers}: {error or type(error).__name__}") from error


async def _spans(consumer: Any, topics: Sequence[str], since: float) -> dict[TopicPartition, Span]:
    partitions = [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(consumer.partitions_for_topic(topic) or ())
    ]
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    if since > 0:
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, round(since * 1000)))
        begins |= {each: at.offset if at else ends[each] for each, at in found.items()}
    return {each: Span(begins[each], ends[each]) for each in partitions}


def parsed(record: Any) -> Any:
    """What is in a record; None where it is not JSON."""
    if isinstance(record, UnreadableRecord) or record.value is None:
        return None
    try:
        return orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return None


def _named(partitions: Sequence[TopicPartition]) -> str:
    return ", ".join(f"{each.topic}/{each.partition}" for each in partitions[:3])
