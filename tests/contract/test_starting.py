"""
Where reading begins: in a topic that is new to the group, in partitions that are added, after retention was faster,
after offsets were forgotten, and in a topic that was deleted and made again.
"""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from consumer.config.kafka import JournalSettings
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.journal import Journal
from consumer.observability import metrics
from consumer.records import SourceId
from tests.contract.reading import Reader, kafka_settings, reading, upload
from tests.contract.test_takeover import ANOTHER, LONG_AGO, OURS, PARTITION, commit, publish_verdicts, verdict
from tests.rig.kafka import KafkaCluster, committed
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.waiting import until


@pytest.fixture
async def uploads(kafka: KafkaCluster, topic: str) -> str:
    """A topic of uploads and its outputs."""
    await create(kafka, topic)
    outputs = kafka_settings(kafka, topic).outputs
    for output in outputs.all:
        await kafka.create_topic(output, partitions=2)
    return topic


async def create(kafka: KafkaCluster, topic: str) -> None:
    await kafka.create_topic(topic, partitions=4)


async def taken_over(reader: Reader) -> None:
    await until(lambda: reader.source.reasons_not_ready() == [] and reader.source.degraded() == [])


def lost(topic: str) -> float:
    return float(metrics.UPLOADS_LOST.labels(topic)._value.get())


async def test_latest_skips_what_was_there_and_nothing_after(kafka: KafkaCluster, uploads: str) -> None:
    """
    A topic new to the group begins where each of its partitions ended at that moment, and that is committed at once.
    """
    for partition in range(4):
        await upload(kafka, uploads, partition + 1, partition=partition)

    async with reading(kafka, uploads, auto_offset_reset="latest") as reader:
        await taken_over(reader)
        found = await committed(kafka.bootstrap_servers, uploads)
        for partition in range(4):
            await upload(kafka, uploads, 2, partition=partition)
        await reader.until(lambda: len(reader.records) == 8)

    assert {part.partition: each.offset for part, each in found.items()} == {0: 1, 1: 2, 2: 3, 3: 4}
    assert [reader.offsets(partition) for partition in range(4)] == [[1, 2], [2, 3], [3, 4], [4, 5]]


async def test_latest_is_once_for_all_replicas(kafka: KafkaCluster, uploads: str) -> None:
    """
    Who does not own partition 0 waits for its owner's commit, so that no replica that comes later skips more.
    """
    for partition in range(4):
        await upload(kafka, uploads, 3, partition=partition)

    async with (
        reading(kafka, uploads, auto_offset_reset="latest", owner=OURS) as first,
        reading(kafka, uploads, auto_offset_reset="latest", owner=ANOTHER) as second,
    ):
        await taken_over(first)
        await taken_over(second)
        for partition in range(4):
            await upload(kafka, uploads, 2, partition=partition)

        def read_of_each() -> list[set[int]]:
            return [{*first.offsets(partition), *second.offsets(partition)} for partition in range(4)]

        await until(lambda: all(len(offsets) >= 2 for offsets in read_of_each()))
        read = read_of_each()

    assert read == [{3, 4}] * 4


async def test_latest_judges_all_of_partitions_that_are_added(kafka: KafkaCluster, uploads: str) -> None:
    """
    They are new while the topic is not: everything in them came after the group began.
    """
    async with reading(kafka, uploads, auto_offset_reset="latest") as reader:
        await taken_over(reader)
        async with admin_client(kafka.bootstrap_servers) as admin:
            await admin.create_partitions({uploads: NewPartitions(total_count=6)})
        await upload(kafka, uploads, 20, partition=5)

        await reader.until(lambda: reader.offsets(5) == list(range(20)))


@pytest.mark.parametrize("reset", ["earliest", "latest"])
async def test_what_retention_deleted_before_it_was_read_is_told(kafka: KafkaCluster, uploads: str, reset: str) -> None:
    """
    A log that begins beyond the next offset has lost uploads: counted, and read on from its beginning, not its end.
    """
    await upload(kafka, uploads, 10, partition=PARTITION)
    await commit(kafka, uploads, 2, str(CommitMetadata(LONG_AGO, ANOTHER)))
    await delete_before(kafka, uploads, 6)

    async with reading(kafka, uploads, auto_offset_reset=reset) as reader:  # type: ignore[arg-type]
        await reader.until(lambda: len(reader.records) == 4)
        await until(lambda: lost(uploads) == 4)

        assert reader.offsets(PARTITION) == [6, 7, 8, 9]


async def test_what_retention_deletes_of_a_partition_that_is_held_is_told(kafka: KafkaCluster, uploads: str) -> None:
    """
    While it runs, too: what was not read in time is counted once reading goes on.
    """
    limits = JournalSettings(max_outcomes_per_partition=3)
    async with reading(kafka, uploads, journal_limits=limits) as reader:
        await taken_over(reader)
        await upload(kafka, uploads, 10, partition=PARTITION)
        await reader.until(lambda: len(reader.records) == 3)
        await asyncio.sleep(1.0)
        assert reader.offsets(PARTITION) == [0, 1, 2]
        await delete_before(kafka, uploads, 7)
        await asyncio.sleep(0.5)
        reader.settle_all()

        await reader.until(lambda: reader.offsets(PARTITION) == [0, 1, 2, 7, 8, 9])
        await until(lambda: lost(uploads) == 4)


async def test_a_group_whose_offsets_are_forgotten_pays_for_nothing_again(kafka: KafkaCluster, uploads: str) -> None:
    """
    Without a commit the outputs tell what was judged, however old it is and whatever time the producer wrote.
    """
    await upload(kafka, uploads, 4, partition=PARTITION)
    await publish_verdicts(kafka, uploads, verdict(uploads, 0, at=LONG_AGO), verdict(uploads, 2, at=LONG_AGO - 1e6))
    journal = Journal()

    async with reading(kafka, uploads, journal=journal) as reader:
        await reader.until(lambda: len(reader.records) == 4)
        known = [
            record.delivery.offset
            for record in reader.records
            if journal.holds(record.delivery, SourceId(f"id-{record.delivery.offset}"))
        ]

    assert known == [0, 2]


async def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_beginning(
    kafka: KafkaCluster, uploads: str
) -> None:
    """
    Nothing of the new log is taken for something of the old one, and nothing of it is passed over.
    """
    async with reading(kafka, uploads) as reader:
        await taken_over(reader)
        await upload(kafka, uploads, 20, partition=PARTITION)
        await reader.until(lambda: len(reader.records) == 20)
        reader.settle_all()
        await until(lambda: is_committed(kafka, uploads, 20))
        async with admin_client(kafka.bootstrap_servers) as admin:
            await admin.delete_topics([uploads])
        await until(lambda: does_not_exist(kafka, uploads))
        await create(kafka, uploads)
        await upload(kafka, uploads, 5, partition=PARTITION)

        await reader.until(lambda: reader.offsets(PARTITION)[20:] == [0, 1, 2, 3, 4])
        reader.settle_all()
        await until(lambda: is_committed(kafka, uploads, 5))

    assert lost(uploads) == 0


async def delete_before(kafka: KafkaCluster, topic: str, offset: int) -> None:
    async with admin_client(kafka.bootstrap_servers) as admin:
        await admin.delete_records({TopicPartition(topic, PARTITION): RecordsToDelete(before_offset=offset)})


async def is_committed(kafka: KafkaCluster, topic: str, offset: int) -> bool:
    found = (await committed(kafka.bootstrap_servers, topic)).get(TopicPartition(topic, PARTITION))
    return found is not None and found.offset == offset


async def does_not_exist(kafka: KafkaCluster, topic: str) -> bool:
    async with admin_client(kafka.bootstrap_servers) as admin:
        return topic not in await admin.list_topics()
