"""
Batches of every kind at a real broker: good ones arrive, whatever stands beside them, and the others as it was decided.
"""

import asyncio
import inspect

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch

from consumer.journal.reader import OutputReader
from consumer.kafka import damage
from consumer.kafka.reading import Consumer, Fetched, PartitionRecords
from consumer.kafka.security import KafkaAccess
from consumer.kafka.unreadable import TOO_LARGE
from tests.contract.reading import Reader, kafka_settings, reading, upload
from tests.rig.kafka import KafkaCluster, NewRecord, committed, publish
from tests.rig.kafka.batches import CODECS, RawRecord, Segment, batch, produce
from tests.rig.kafka.waiting import until
from tests.rig.outcomes import OUTCOMES

pytestmark = pytest.mark.kafka

OUTPUTS = OUTCOMES


@pytest.fixture
async def uploads(kafka: KafkaCluster, topic: str) -> str:
    """A topic of uploads of four partitions, and its outputs."""
    await kafka.create_topic(topic, partitions=4)
    for output in OUTPUTS:
        await kafka.create_topic(f"{topic}.{output}")
    return topic


def values(reader: Reader, partition: int = 0) -> list[bytes | None]:
    return [each.delivery.value for each in reader.records if each.delivery.partition == partition]


def held(reader: Reader) -> list[str]:
    return [reason for reason in reader.source.degraded() if " is held at offset " in reason]


def verdict(uploads: str, offset: int) -> NewRecord:
    headers = {
        "ce_id": f"id-{offset}", "source_topic": uploads, "source_partition": "0", "source_offset": str(offset),
        "source_group": uploads,
    }  # fmt: skip
    return NewRecord(b"{}", headers=[(name, value.encode()) for name, value in headers.items()])


async def outcomes(kafka: KafkaCluster, uploads: str) -> list[int]:
    """The source offsets of what the outputs hold, as a take-over reads them."""
    settings = kafka_settings(kafka, uploads)
    return [
        each.offset
        async for found in OutputReader(settings, KafkaAccess(settings), 1.0).read(0.0, lambda *_: True)
        for each in found
    ]


@pytest.mark.parametrize("codec", [None, *CODECS[1:]])
async def test_uploads_of_every_codec_are_read(kafka: KafkaCluster, uploads: str, codec: str | None) -> None:
    """
    Compressed by their producer.
    """
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, compression_type=codec) as producer:
        for index in range(5):
            await producer.send_and_wait(uploads, b"v%d" % index * 100, partition=0)

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 5)

    assert values(reader) == [b"v%d" % index * 100 for index in range(5)]


@pytest.mark.parametrize("codec", CODECS[1:])
async def test_topics_of_every_codec_are_read(kafka: KafkaCluster, topic: str, codec: str) -> None:
    """
    What the broker compresses for a topic's `compression.type`: an input, and the outputs that a take-over reads.
    """
    await kafka.create_topic(topic, configs={"compression.type": codec})
    for output in OUTPUTS:
        await kafka.create_topic(f"{topic}.{output}", configs={"compression.type": codec})
    await upload(kafka, topic, 5, partition=0, size=1_000)
    for output in OUTPUTS[:3]:
        await publish(kafka.bootstrap_servers, f"{topic}.{output}", [verdict(topic, offset) for offset in range(5)])

    async with reading(kafka, topic) as reader:
        await reader.until(lambda: len(reader.records) == 5)

    assert sorted(await outcomes(kafka, topic)) == sorted([*range(5)] * 3)


async def test_a_header_name_that_is_no_utf_8_costs_no_record(kafka: KafkaCluster, uploads: str) -> None:
    """
    Neither of its batch, nor of the partitions that are read with it, whichever comes first.
    """
    for partition in (1, 2, 3):
        await upload(kafka, uploads, 7, partition=partition)
    odd = RawRecord(b"odd", headers=[(b"k\xff", b"1")])
    await produce(kafka, uploads, batch([RawRecord(b"a"), odd, RawRecord(b"b")], codec=1))

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 24)

    assert values(reader) == [b"a", b"odd", b"b"]
    assert next(each for each in reader.records if each.delivery.value == b"odd").delivery.headers == (
        ("k\udcff", b"1"),
    )
    assert [len(values(reader, partition)) for partition in (1, 2, 3)] == [7, 7, 7]


@pytest.mark.parametrize(
    ("find", "replacement"),
    [(b"damaged", b"DAMAGED"), (b"\0\2", b"\0\7")],
    ids=["checksum", "magic"],
)
async def test_a_damaged_batch_holds_its_partition_alone_until_it_is_mended(
    kafka: KafkaCluster, uploads: str, find: bytes, replacement: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Everything before it and beside it arrives; the reason names it; once the broker sends it whole, it goes on.
    """
    monkeypatch.setattr(damage, "RETRY_DELAY", 0.1)
    monkeypatch.setattr(damage, "HELD_DELAY", 0.5)
    damaged = batch([RawRecord(b"damaged"), RawRecord(b"too")])
    await produce(kafka, uploads, batch([RawRecord(b"a"), RawRecord(b"b")]))
    await produce(kafka, uploads, damaged)
    await produce(kafka, uploads, batch([RawRecord(b"behind")]))
    for partition in (1, 2, 3):
        await upload(kafka, uploads, 7, partition=partition)
    segment = Segment(kafka, uploads)
    if len(find) == 2:  # the format stands between the leader's epoch and the checksum
        find, replacement = (each + damaged[17:21] for each in (find, replacement))
    segment.change(find, replacement)

    async with reading(kafka, uploads) as reader:
        await until(lambda: bool(held(reader)))
        await upload(kafka, uploads, 7, partition=1)
        await reader.until(lambda: len(reader.records) == 30)
        assert values(reader) == [b"a", b"b"]
        reader.settle_all()
        (reason,) = held(reader)
        assert f"{uploads}/0 is held at offset 2: its batch is damaged" in reason
        assert f"kafka.skip_damaged to [{uploads}/0@2" in reason
        assert reader.source.reasons_not_ready() == []
        segment.change(replacement, find)
        await reader.until(lambda: len(reader.records) == 33)
        assert values(reader) == [b"a", b"b", b"damaged", b"too", b"behind"]
        await until(lambda: not held(reader))


async def test_a_damaged_batch_that_is_named_is_delivered_as_it_lies_there_and_passed(
    kafka: KafkaCluster, uploads: str
) -> None:
    """
    Its bytes, its first and last offset; what is behind it arrives, and the commit passes it.
    """
    damaged = batch([RawRecord(b"damaged"), RawRecord(b"too")])
    await produce(kafka, uploads, batch([RawRecord(b"a")]))
    await produce(kafka, uploads, damaged)
    await produce(kafka, uploads, batch([RawRecord(b"behind")]))
    Segment(kafka, uploads).change(b"damaged", b"DAMAGED")

    async with reading(kafka, uploads, skip_damaged=[f"{uploads}/0@1"]) as reader:
        await reader.until(lambda: len(reader.records) == 3)
        reader.settle_all()

    before, found, behind = [each.delivery for each in reader.records]
    assert (before.value, behind.value, behind.offset) == (b"a", b"behind", 3)
    assert found.value is not None
    assert b"DAMAGED" in found.value
    assert found.unreadable is not None
    assert (found.unreadable.first_offset, found.unreadable.last_offset, found.unreadable.count) == (1, 2, 2)
    assert await committed_offset(kafka, uploads) == 4


async def committed_offset(kafka: KafkaCluster, uploads: str) -> int | None:
    found = await committed(kafka.bootstrap_servers, uploads)
    return next((each.offset for partition, each in found.items() if partition.partition == 0), None)


@pytest.mark.parametrize("codec", range(1, 5), ids=CODECS[1:])
async def test_a_batch_beyond_the_bound_is_one_delivery_and_the_commit_passes_all_of_it(
    kafka: KafkaCluster, topic: str, codec: int
) -> None:
    """
    Its compressed bytes; what lies before and behind it arrives.
    """
    await kafka.create_topic(topic, configs={"max.message.bytes": "10000000"})
    for output in OUTPUTS:
        await kafka.create_topic(f"{topic}.{output}")
    bomb = batch([RawRecord(b" " * 20_000_000), RawRecord(b"small")], codec=codec)
    await produce(kafka, topic, batch([RawRecord(b"a")]))
    await produce(kafka, topic, bomb)
    await produce(kafka, topic, batch([RawRecord(b"behind")]))

    async with reading(kafka, topic) as reader:
        await reader.until(lambda: len(reader.records) == 3)
        reader.settle_all()

    before, found, behind = [each.delivery for each in reader.records]
    assert (before.value, behind.value) == (b"a", b"behind")
    assert (found.value or b"")[61:] == bomb[61:]
    assert found.unreadable is not None
    assert (found.offset, found.unreadable.reason, found.unreadable.last_offset) == (1, TOO_LARGE, 2)
    assert await committed_offset(kafka, topic) == 4


@pytest.mark.parametrize("where", ["first", "last"])
async def test_a_damaged_batch_of_an_output_costs_its_own_outcomes_only(
    kafka: KafkaCluster, uploads: str, where: str
) -> None:
    """
    It is passed over, at the end of a topic too.
    """
    topic = f"{uploads}.pass"
    damaged = batch([RawRecord(b"$good$")])
    if where == "first":
        await produce(kafka, topic, damaged)
    await publish(kafka.bootstrap_servers, topic, [verdict(uploads, offset) for offset in (5, 6)])
    if where == "last":
        await produce(kafka, topic, damaged)
    Segment(kafka, topic).change(b"$good$", b"$evil$")
    await publish(kafka.bootstrap_servers, f"{uploads}.review", [verdict(uploads, 7)])

    assert sorted(await outcomes(kafka, uploads)) == [5, 6, 7]


async def test_what_is_unpacked_of_all_partitions_together_is_bounded(kafka: KafkaCluster, topic: str) -> None:
    """
    However many have begun a batch that is not read to its end: they are unpacked again, and all records arrive.
    """
    await kafka.create_topic(topic, partitions=4)
    for partition in range(4):
        content = batch([RawRecord(b"%d" % each * 100_000) for each in range(5)], codec=4)
        await produce(kafka, topic, content, partition)
    partitions = [TopicPartition(topic, number) for number in range(4)]
    consumer = Consumer(
        bootstrap_servers=kafka.bootstrap_servers, max_batch_bytes=1_200_000, decide=damage.pass_over,
        auto_offset_reset="earliest", fetch_max_wait_ms=100,
    )  # fmt: skip
    offsets: dict[int, list[int]] = {number: [] for number in range(4)}

    async with consumer:
        consumer.assign(partitions)
        async with asyncio.timeout(20.0):
            while sum(map(len, offsets.values())) < 20:
                for partition in partitions:
                    polled = await consumer.getmany(partition, timeout_ms=50, max_records=1)
                    offsets[partition.partition] += [each.offset for found in polled.values() for each in found]
                    assert sum(consumer._unpacked.values()) <= 1_200_000

    assert offsets == {number: [0, 1, 2, 3, 4] for number in range(4)}


def test_aiokafka_is_still_what_is_taken_the_place_of() -> None:
    """
    The names that its fetcher makes its records of, what it asks of them, and its reader's.
    """
    source = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    options = list(inspect.signature(fetcher.PartitionRecords.__init__).parameters)

    assert "MemoryRecords(part_data[-1])" in source
    assert "partition_records = PartitionRecords(" in source
    assert "await self._client.send(node_id, request)" in source
    assert options == [
        "self", "tp", "records", "aborted_transactions", "fetch_offset", "key_deserializer", "value_deserializer",
        "check_crcs", "isolation_level",
    ]  # fmt: skip
    assert issubclass(PartitionRecords, fetcher.PartitionRecords)
    assert {"has_next", "size_in_bytes"} <= set(dir(Fetched))
    assert DefaultRecordBatch.__module__ == "aiokafka.record._crecords.default_records"  # or every record costs more


async def test_what_the_broker_itself_cannot_read_holds_its_partition_alone(
    kafka: KafkaCluster, uploads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A batch whose length on the broker's disk is none: the broker answers CORRUPT_MESSAGE.
    """
    monkeypatch.setattr(damage, "RETRY_DELAY", 0.1)
    content = batch([RawRecord(b"$damaged$")])
    await produce(kafka, uploads, batch([RawRecord(b"a")]))
    await produce(kafka, uploads, content)
    await upload(kafka, uploads, 7, partition=1)
    (path,) = kafka.folder.rglob(f"{uploads}-0/00000000000000000000.log")
    stored = path.read_bytes()
    start = stored.index(b"$damaged$") - content.index(b"$damaged$")
    with path.open("r+b") as file:
        file.seek(start + 8)
        file.write(b"\0\0\0\1")

    async with reading(kafka, uploads) as reader:
        await until(lambda: bool(held(reader)))
        await reader.until(lambda: len(reader.records) >= 7)
        (reason,) = held(reader)

    assert f"{uploads}/0 is held at offset" in reason
    assert len(values(reader, 1)) == 7


async def test_a_poll_brings_no_more_bytes_than_one_batch_may_have(kafka: KafkaCluster, uploads: str) -> None:
    """
    However many partitions hold large records that take little on the wire; and all of them arrive, in their order.
    """
    bound, value = 1_048_576, b" " * 300_000
    for partition in range(4):
        large = [RawRecord(b"%d" % number + value) for number in range(3)]
        await produce(kafka, uploads, batch(large, codec=4), partition=partition)
    consumer = Consumer(
        uploads,
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
        max_batch_bytes=bound,
        decide=lambda damage: None,
    )
    polls: list[int] = []
    numbers: dict[int, list[int]] = {}

    async with consumer, asyncio.timeout(30):
        while sum(map(len, numbers.values())) < 12:
            polled = await consumer.getmany(timeout_ms=200, max_records=500)
            polls.append(sum(len(record.value) for records in polled.values() for record in records))
            for partition, records in polled.items():
                numbers.setdefault(partition.partition, []).extend(int(each.value[:1]) for each in records)

    assert max(polls) <= bound + len(value) + 1
    assert numbers == {partition: [0, 1, 2] for partition in range(4)}
