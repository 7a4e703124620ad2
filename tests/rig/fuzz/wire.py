"""
Record batches to and from a broker, as bytes: what no client would write, and what none could read.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import NotLeaderForPartitionError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

from tests.rig.fuzz.batches import RawRecord, next_offset, read

_TIMEOUT = 60_000  # milliseconds
_FETCH = 16 * 1024 * 1024  # bytes
_LATEST = -1
_EARLIEST = -2


class Wire:
    """A connection to a cluster that speaks of batches."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def opened(cls, bootstrap_servers: str) -> AsyncIterator[Self]:
        """Connect; close with the context."""
        client = AIOKafkaClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=_TIMEOUT)
        await client.bootstrap()
        try:
            yield cls(client)
        finally:
            await client.close()

    async def produce(self, topic: str, partition: int, batch: bytes) -> int:
        """Append a batch and return its first offset. aiokafka's error for the broker's code escapes."""
        request = ProduceRequest(None, -1, _TIMEOUT, [(topic, [(partition, batch)])])
        while True:
            response = await self._client.send(await self._leader(topic, partition), request)
            ((_, ((_, code, offset, *_),)),) = response.topics
            if code != NotLeaderForPartitionError.errno:
                break
            await asyncio.sleep(0.02)  # the broker has not heard yet that it leads a new partition
        if code:
            raise for_code(code)(f"{topic}-{partition}: {len(batch)} bytes")
        return int(offset)

    async def ends(self, topic: str, partitions: Iterable[int], *, earliest: bool = False) -> dict[int, int]:
        """Where each partition ends, or begins."""
        return {partition: await self._offset(topic, partition, earliest) for partition in partitions}

    async def _offset(self, topic: str, partition: int, earliest: bool) -> int:
        asked = [(topic, [(partition, _EARLIEST if earliest else _LATEST)])]
        response = await self._client.send(await self._leader(topic, partition), OffsetRequest(-1, 0, asked))
        ((_, ((_, code, _, offset, *_),)),) = response.topics
        if code:
            raise for_code(code)(f"{topic}-{partition}")
        return int(offset)

    async def records(self, topic: str, partitions: Sequence[int]) -> AsyncIterator[RawRecord]:
        """Everything up to the end at the time of asking, by partition, then offset."""
        for partition, end in (await self.ends(topic, partitions)).items():
            at = await self._offset(topic, partition, earliest=True)
            while at < end:
                data = await self._fetch(topic, partition, at)
                behind = next_offset(data)
                if behind is None:
                    raise ValueError(f"{topic}-{partition}: no batch at {at}, of {end}")
                for record in read(data, partition):
                    if at <= record.offset < end:
                        yield record
                at = behind
                await asyncio.sleep(0)  # the reader shares its loop with a provider

    async def _fetch(self, topic: str, partition: int, offset: int) -> bytes:
        request = FetchRequest(100, 1, _FETCH, 0, [(topic, [(partition, offset, _FETCH)])])
        response = await self._client.send(await self._leader(topic, partition), request)
        ((_, ((_, code, *rest),)),) = response.topics
        if code:
            raise for_code(code)(f"{topic}-{partition} at {offset}")
        return bytes(rest[-1])

    async def forget(self, group: str) -> None:
        """Delete a group with its commits, once its last member is gone."""
        while True:
            node = await self._client.coordinator_lookup(CoordinationType.GROUP, group)
            response = await self._client.send(node, DeleteGroupsRequest([group]))
            if not any(code for _, code in response.results):
                return
            await asyncio.sleep(0.1)

    async def _leader(self, topic: str, partition: int) -> int:
        while True:
            leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if leader is not None and leader >= 0:
                return int(leader)
            await self._client._wait_on_metadata(topic)
            await asyncio.sleep(0.02)
