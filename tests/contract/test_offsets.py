"""
What a consumer meets in the offsets of a real partition: gaps, a moving start, and moments.
"""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError

from tests.contract.consumers import joined, take
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.waiting import until


async def test_transactions_leave_gaps(kafka: KafkaCluster, topic: str) -> None:
    """
    Transaction markers take offsets that no record has, and aborted records are passed over by a committed reader.
    """
    await write_transactions(kafka, topic)

    committed = await read_all(kafka.bootstrap_servers, topic, isolation_level="read_committed")
    everything = await read_all(kafka.bootstrap_servers, topic)

    assert [(record.offset, record.value) for record in committed] == [(0, b"a"), (1, b"b"), (6, b"e")]
    assert [record.offset for record in everything] == [0, 1, 3, 4, 6]


async def test_the_position_passes_the_last_marker(kafka: KafkaCluster, topic: str) -> None:
    """
    A consumer that has read a transaction's last record gets to the end of the partition, so its lag is zero.

    aiokafka 0.14: the position moves with the fetched batch, not with the last record alone.
    """
    await write_transactions(kafka, topic)
    partition = TopicPartition(topic, 0)

    async with joined(kafka.bootstrap_servers, topic, topic, isolation_level="read_committed") as consumer:
        await take(consumer, 3)
        end: int = (await consumer.end_offsets([partition]))[partition]

        async def at_the_end() -> bool:
            await consumer.getmany(timeout_ms=50)
            return bool(await consumer.position(partition) == end)

        await until(at_the_end)

    assert end == 8


async def test_compaction_leaves_gaps(kafka: KafkaCluster, topic: str) -> None:
    """
    What compaction removed is skipped in silence: offsets rise and are not consecutive.
    """
    await kafka.create_topic(
        topic,
        configs={"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"},
    )
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"%d" % n, key=b"same") for n in range(5)])

    async def is_compacted() -> bool:
        await asyncio.sleep(0.2)  # a segment is closed by the first record that comes after its time
        await publish(kafka.bootstrap_servers, topic, [NewRecord(b"", key=b"other")])
        first: int = (await read_all(kafka.bootstrap_servers, topic))[0].offset
        return first > 0

    await until(is_compacted)
    records = await read_all(kafka.bootstrap_servers, topic)

    offsets = [record.offset for record in records]
    assert [(record.offset, record.value) for record in records if record.key == b"same"] == [(4, b"4")]
    assert offsets == sorted(set(offsets))


async def test_a_moment_is_found(kafka: KafkaCluster, topic: str) -> None:
    """
    `offsets_for_times` answers the first record at or after a moment, and None beyond the last.
    """
    await kafka.create_topic(topic, partitions=2)
    partition, empty = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await publish(
        kafka.bootstrap_servers, topic, [NewRecord(b"", partition=0, timestamp=1_000 * n) for n in range(1, 6)]
    )

    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
        found = await consumer.offsets_for_times({partition: 2_500, empty: 2_500})
        beyond = await consumer.offsets_for_times({partition: 5_001})

    assert {partition: (2, 3_000), empty: None} == found
    assert beyond == {partition: None}


async def test_a_commit_that_retention_overtook_is_reset(kafka: KafkaCluster, topic: str) -> None:
    """
    Where the committed offset is gone, reading goes on as `auto_offset_reset` says: here from what is left.
    """
    await kafka.create_topic(topic)
    partition = TopicPartition(topic, 0)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"") for _ in range(10)])
    async with joined(kafka.bootstrap_servers, topic, topic) as consumer:
        await consumer.commit({partition: 2})
    async with admin_client(kafka.bootstrap_servers) as admin:
        await admin.delete_records({partition: RecordsToDelete(before_offset=6)})

    async with joined(kafka.bootstrap_servers, topic, topic, auto_offset_reset="earliest") as consumer:
        records = await take(consumer, 4)
    async with joined(kafka.bootstrap_servers, topic, topic, auto_offset_reset="none") as consumer:
        with pytest.raises(OffsetOutOfRangeError):
            await take(consumer, 1)

    assert [record.offset for record in records] == [6, 7, 8, 9]


async def write_transactions(kafka: KafkaCluster, topic: str) -> None:
    """Offsets 0 and 1 committed, 2 a marker, 3 and 4 aborted, 5 a marker, 6 committed, 7 a marker."""
    await kafka.create_topic(topic)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"a")
            await producer.send_and_wait(topic, b"b")
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"c")
        await producer.send_and_wait(topic, b"d")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(topic, b"e")
