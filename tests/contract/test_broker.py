"""
What this service needs of a broker, through aiokafka 0.14: the same on the embedded broker and on a real Kafka.
"""

import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.contract.consumers import joined, take
from tests.rig.embedded import BrokerProcess
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all

Broker = BrokerProcess | KafkaCluster


async def read_from_start(consumer: AIOKafkaConsumer, topic: str) -> None:
    """Assign the whole topic by hand: joining a group takes the embedded broker three seconds."""
    partitions = [TopicPartition(topic, partition) for partition in range(4)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)


async def test_key_value_and_headers_come_back_byte_for_byte(broker: Broker, uploads: str) -> None:
    """
    Whatever bytes an idempotent, fully acknowledged producer sends are the bytes that a consumer gets.
    """
    every_byte = bytes(range(256))
    headers = [("ce_id", every_byte), ("Grüße", "→".encode()), ("empty", b"")]

    await publish(
        broker.bootstrap_servers, uploads, [NewRecord(every_byte * 100, key=every_byte, headers=headers, partition=2)]
    )

    (record,) = await read_all(broker.bootstrap_servers, uploads)
    assert every_byte * 100 == record.value
    assert every_byte == record.key
    assert headers == list(record.headers)
    assert (uploads, 2, 0) == (record.topic, record.partition, record.offset)


async def test_a_null_is_not_an_empty_value(broker: Broker, uploads: str) -> None:
    """
    A record without value or key comes back without it, and an empty one comes back empty.
    """
    sent = [NewRecord(None, key=b"deleted", partition=0), NewRecord(b"", key=None, partition=0)]

    await publish(broker.bootstrap_servers, uploads, sent)

    null, empty = await read_all(broker.bootstrap_servers, uploads)
    assert (null.value, null.key) == (None, b"deleted")
    assert (empty.value, empty.key) == (b"", None)


async def test_a_header_name_may_come_twice(broker: Broker, uploads: str) -> None:
    """
    Headers are a list: two of one name both arrive, in their order.
    """
    headers = [("ce_id", b"theirs"), ("source_topic", b"x"), ("ce_id", b"ours")]

    await publish(broker.bootstrap_servers, uploads, [NewRecord(b"", headers=headers)])

    (record,) = await read_all(broker.bootstrap_servers, uploads)
    assert headers == list(record.headers)


async def test_the_producers_timestamp_is_kept(broker: Broker, uploads: str) -> None:
    """
    A record carries the milliseconds its producer gave it, or else the time of sending.
    """
    before = int(time.time() * 1000)

    await publish(
        broker.bootstrap_servers,
        uploads,
        [NewRecord(b"old", partition=0, timestamp=1_700_000_000_123), NewRecord(b"new", partition=0)],
    )

    old, new = await read_all(broker.bootstrap_servers, uploads)
    assert old.timestamp == 1_700_000_000_123
    assert before <= new.timestamp <= time.time() * 1000


async def test_an_acknowledgement_names_the_offset(broker: Broker, uploads: str) -> None:
    """
    What the producer is told about partition and offset is where the record is found.
    """
    acknowledged = await publish(
        broker.bootstrap_servers, uploads, [NewRecord(str(n).encode(), partition=n % 4) for n in range(20)]
    )

    found = {
        (record.partition, record.offset): record.value for record in await read_all(broker.bootstrap_servers, uploads)
    }
    assert [str(n).encode() for n in range(20)] == [found[each.partition, each.offset] for each in acknowledged]


async def test_a_partition_is_read_in_the_order_it_was_written(broker: Broker, uploads: str) -> None:
    """
    One producer's records of one partition have rising offsets and arrive in the order of sending.
    """
    await publish(broker.bootstrap_servers, uploads, [NewRecord(b"%d" % n, partition=n % 2) for n in range(2_000)])

    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers) as consumer:
        await read_from_start(consumer, uploads)
        records = await take(consumer, 2_000)

    for partition in (0, 1):
        of_partition = [record for record in records if record.partition == partition]
        assert [b"%d" % n for n in range(partition, 2_000, 2)] == [record.value for record in of_partition]
        assert list(range(1_000)) == [record.offset for record in of_partition]


async def test_records_of_one_key_share_a_partition(broker: Broker, uploads: str) -> None:
    """
    The key alone decides the partition, so the records of a key keep their order.
    """
    records = [NewRecord(b"", key=b"tenant|subject-%d" % (n % 7)) for n in range(70)]

    acknowledged = await publish(broker.bootstrap_servers, uploads, records)

    partitions = {(record.key, each.partition) for record, each in zip(records, acknowledged, strict=True)}
    assert len(partitions) == 7


async def test_a_successor_goes_on_from_the_commit(broker: Broker, uploads: str) -> None:
    """
    A lone member holds the whole topic, finds its predecessor's offset with its metadata, and reads from there.

    aiokafka 0.14: `committed()` leaves the metadata out, so they are asked of the consumer's coordinator.
    """
    partitions = [TopicPartition(uploads, partition) for partition in range(4)]
    metadata = "x" * 4_096  # the most that a broker takes by default
    await publish(broker.bootstrap_servers, uploads, [NewRecord(b"%d" % n, partition=0) for n in range(10)])
    async with joined(broker.bootstrap_servers, uploads, group=uploads) as predecessor:
        await take(predecessor, 10)
        await predecessor.commit({partitions[0]: (6, metadata)})

    async with joined(broker.bootstrap_servers, uploads, group=uploads) as successor:
        assignment = successor.assignment()
        answered = await successor._coordinator.fetch_committed_offsets(partitions)
        without = await successor.committed(partitions[1])
        records = await take(successor, 4)

    assert assignment == set(partitions)
    assert answered == {partitions[0]: (6, metadata)}
    assert without is None
    assert [record.offset for record in records] == [6, 7, 8, 9]


async def test_beginning_and_end_are_known(broker: Broker, uploads: str) -> None:
    """
    `end_offsets` answers the next offset to be written, also for an empty partition; `beginning_offsets` the first.
    """
    await publish(broker.bootstrap_servers, uploads, [NewRecord(b"", partition=1) for _ in range(7)])
    partitions = [TopicPartition(uploads, 0), TopicPartition(uploads, 1)]

    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers) as consumer:
        ends = await consumer.end_offsets(partitions)
        beginnings = await consumer.beginning_offsets(partitions)

    assert [ends[partition] for partition in partitions] == [0, 7]
    assert [beginnings[partition] for partition in partitions] == [0, 0]


async def test_a_tail_is_read_without_a_group(broker: Broker, uploads: str) -> None:
    """
    A consumer that assigns and seeks for itself reads from there to the end, as the journal's reader does.
    """
    partition = TopicPartition(uploads, 3)
    await publish(broker.bootstrap_servers, uploads, [NewRecord(b"", partition=3) for _ in range(20)])

    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 15)
        records = await take(consumer, 5)

    assert [record.offset for record in records] == [15, 16, 17, 18, 19]


async def test_a_paused_partition_delivers_nothing_until_resumed(broker: Broker, uploads: str) -> None:
    """
    While a partition is paused the others go on; once resumed it loses nothing.
    """
    paused = TopicPartition(uploads, 0)
    await publish(broker.bootstrap_servers, uploads, [NewRecord(b"", partition=n % 2) for n in range(20)])

    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers) as consumer:
        await read_from_start(consumer, uploads)
        consumer.pause(paused)
        others = await take(consumer, 10)
        consumer.resume(paused)
        resumed = await take(consumer, 10)

    assert {1} == {record.partition for record in others}
    assert list(range(10)) == [record.offset for record in resumed if record.partition == 0]


async def test_producers_of_one_process_do_not_disturb_each_other(broker: Broker, uploads: str) -> None:
    """
    Two idempotent producers write to one partition and every record is there once.
    """
    async with (
        AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True, acks="all") as one,
        AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, enable_idempotence=True, acks="all") as other,
    ):
        for n in range(10):
            await one.send_and_wait(uploads, b"one %d" % n, partition=0)
            await other.send_and_wait(uploads, b"other %d" % n, partition=0)

    values = [record.value for record in await read_all(broker.bootstrap_servers, uploads)]
    assert [b"%s %d" % (name, n) for n in range(10) for name in (b"one", b"other")] == values


async def test_the_embedded_broker_looks_up_no_timestamps(embedded_broker: BrokerProcess, topic: str) -> None:
    """
    `offsets_for_times` answers None for a moment that a real Kafka would find, so a journal is read from its start.
    """
    partition = TopicPartition(topic, 0)
    await publish(embedded_broker.bootstrap_servers, topic, [NewRecord(b"", partition=0, timestamp=2_000)])

    async with AIOKafkaConsumer(bootstrap_servers=embedded_broker.bootstrap_servers) as consumer:
        assert {partition: None} == await consumer.offsets_for_times({partition: 1_000})
