"""
Verdicts, and people's decisions, out of Kafka: from a moment to the end that each partition has now. Commits nothing.

Where reading begins and ends is what `commands/topics.py` says. Beside that reader this one fetches far ahead, tells
how far it is, and gives up where a broker stays silent: a report of a part would be wrong.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
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
from consumer.kafka.windows import Window, seek, window_of

FETCHED = 4_194_304
"""Bytes that are fetched ahead for each partition."""
_MOST_FETCHED = 33_554_432  # for all partitions
_PATIENCE = 5_000  # milliseconds that a fetch may take
_SILENCE = 12  # fetches that bring nothing, while there is something to read


class Piece(NamedTuple):
    """What a fetch has brought, and how many offsets are read so far."""

    records: Sequence[Any]  # Kafka's
    read: int


class Reading:
    """Reads topics. Made by `opened`."""

    def __init__(self, consumer: Any, window: Window, servers: str) -> None:
        self._consumer = consumer
        self._window = window
        self._servers = servers
        self.total = window.size
        """Offsets; some may have no record."""

    async def pieces(self) -> AsyncIterator[Piece]:
        """
        Yield what each fetch brings.

        Raises:
            NotAnswered: no more comes though the end is not reached.
        """
        consumer, starts, ends = self._consumer, self._window.starts, self._window.ends
        seek(consumer, self._window)
        positions, silent = dict(starts), 0
        while left := [each for each, at in positions.items() if at < ends[each]]:
            fetched = await consumer.getmany(*left, timeout_ms=_PATIENCE)
            silent = 0 if fetched else silent + 1
            if silent >= _SILENCE:
                raise NotAnswered(f"kafka.bootstrap_servers: {self._servers} sends no more of {_named(left)}")
            for partition in left:
                positions[partition] = min(await consumer.position(partition), ends[partition])
                if positions[partition] == ends[partition]:
                    consumer.pause(partition)
            records = [record for each, found in fetched.items() for record in found if record.offset < ends[each]]
            yield Piece(records, sum(at - starts[each] for each, at in positions.items()))


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
            yield Reading(consumer, await window_of(consumer, since), settings.bootstrap_servers)
    except KafkaError as error:
        servers = settings.bootstrap_servers
        raise NotAnswered(f"kafka.bootstrap_servers: {servers}: {error or type(error).__name__}") from error


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
