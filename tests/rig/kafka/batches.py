"""
Batches of records written by hand, as no client writes them, and segments whose bytes are changed on a broker's disk.
"""

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.errors import NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

from tests.rig.kafka.cluster import KafkaCluster

HEADER = struct.Struct(">qiibIhiqqqhii")
CRC_AT, ATTRIBUTES_AT = 17, 21
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
_ENCODE = {1: gzip_encode, 2: snappy_encode, 3: lz4_encode, 4: zstd_encode}


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record whose header names are bytes."""

    value: bytes | None = b"v"
    key: bytes | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()


def batch(
    records: Sequence[RawRecord],
    *,
    base_offset: int = 0,
    codec: int = 0,
    timestamp: int = 1_763_632_800_000,
    count: int | None = None,
    body: bytes | None = None,
    attributes: int = 0,
    producer: int = -1,
) -> bytes:
    """A batch of format 2; `body` in place of the records' bytes, and `count` in place of their number."""
    plain = b"".join(_record(index, each) for index, each in enumerate(records)) if body is None else body
    number = len(records) if count is None else count
    packed = bytes(_ENCODE[codec](plain)) if codec else plain
    fields = (base_offset, HEADER.size - 12 + len(packed), 0, 2, 0, codec | attributes, max(0, number - 1))
    header = bytearray(HEADER.pack(*fields, timestamp, timestamp, producer, 0 if producer >= 0 else -1, -1, number))
    return sealed(header + packed)


def sealed(content: bytes | bytearray) -> bytes:
    """The batch with the checksum that its bytes have."""
    content = bytearray(content)
    struct.pack_into(">I", content, CRC_AT, calc_crc32c(bytes(content[ATTRIBUTES_AT:])))
    return bytes(content)


def varint(value: int) -> bytes:
    folded, out = (value << 1) ^ (value >> 63), bytearray()
    folded &= 2**64 - 1
    while folded > 0x7F:
        out.append(folded & 0x7F | 0x80)
        folded >>= 7
    return bytes([*out, folded])


def _record(index: int, record: RawRecord) -> bytes:
    body = b"\0" + varint(0) + varint(index) + _sized(record.key) + _sized(record.value) + varint(len(record.headers))
    for name, value in record.headers:
        body += _sized(name) + _sized(value)
    return varint(len(body)) + body


def _sized(content: bytes | None) -> bytes:
    return varint(-1) if content is None else varint(len(content)) + content


async def produce(kafka: KafkaCluster, topic: str, content: bytes, partition: int = 0) -> None:
    """Have the leader append a batch as it is; a broker refuses what has a wrong checksum, or records amiss."""
    client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.bootstrap()
    try:
        client.add_topic(topic)
        request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, content)])])
        error = NotLeaderForPartitionError.errno
        async with asyncio.timeout(10):
            while error == NotLeaderForPartitionError.errno:  # a new topic's, which the broker is still to lead
                await client.force_metadata_update()
                leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
                answer = await client.send(leader, request)
                error = answer.topics[0][1][0][1]
        assert error == 0, f"the broker refused it: {error}"
    finally:
        await client.close()


@dataclass(frozen=True, slots=True)
class Segment:
    """The first segment of a partition on a broker's disk, which the broker sends as it lies there."""

    kafka: KafkaCluster
    topic: str
    partition: int = 0

    def change(self, find: bytes, replacement: bytes) -> None:
        """Replace bytes that stand there once, by as many."""
        assert len(find) == len(replacement)
        (path,) = self.kafka.folder.rglob(f"{self.topic}-{self.partition}/00000000000000000000.log")
        content = path.read_bytes()
        assert content.count(find) == 1, content.count(find)
        with path.open("r+b") as file:
            file.seek(content.index(find))
            file.write(replacement)
