"""
What becomes of a partition that changes hands: which outcomes its next owner knows, and where reading and committing
go on, whatever was committed before.
"""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from consumer.config.operation import AdmissionSettings
from consumer.intake.source import MAX_POLL_RECORDS
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.headers import OF_DEAD_LETTER, OF_VERDICT, SourceHeaders
from consumer.journal.journal import Journal
from consumer.records import SourceId
from tests.contract.consumers import joined
from tests.contract.reading import Reader, kafka_settings, reading, upload
from tests.rig.kafka import KafkaCluster, NewRecord, committed, publish, read_all
from tests.rig.kafka.admin import admin_client
from tests.rig.kafka.waiting import until

PARTITION = 1
LONG_AGO = 1_000_000_000.0  # unix seconds
OURS, ANOTHER = "0123abcd", "ffffffff"


@pytest.fixture
async def uploads(kafka: KafkaCluster, topic: str) -> str:
    """A topic of uploads and its outputs."""
    await kafka.create_topic(topic, partitions=4)
    outputs = kafka_settings(kafka, topic).outputs
    for output in outputs.all:
        await kafka.create_topic(output, partitions=2)
    return topic


def verdict(
    uploads: str, offset: int, *, at: float | None = None, group: str = "", partition: int = PARTITION
) -> NewRecord:
    """A verdict about the record at `offset`, as far as its headers go."""
    headers = {
        "ce_id": f"id-{offset}", "source_topic": uploads, "source_partition": str(partition),
        "source_offset": str(offset), "source_group": group or uploads,
    }  # fmt: skip
    return NewRecord(
        b"{}", headers=[(name, value.encode()) for name, value in headers.items()],
        timestamp=None if at is None else round(at * 1000),
    )  # fmt: skip


async def publish_verdicts(kafka: KafkaCluster, uploads: str, *verdicts: NewRecord, topic: str = "pass") -> None:
    await publish(kafka.bootstrap_servers, f"{uploads}.{topic}", verdicts)


async def commit(kafka: KafkaCluster, uploads: str, offset: int, metadata: str) -> None:
    """Commit as somebody who was in the group before."""
    async with joined(kafka.bootstrap_servers, uploads, uploads) as consumer:
        await consumer.commit({TopicPartition(uploads, PARTITION): (offset, metadata)})


async def known(
    kafka: KafkaCluster, uploads: str, count: int, owner: str = OURS, names: SourceHeaders = OF_VERDICT
) -> list[int]:
    """The offsets of which the next owner knows an outcome of that kind, once it reads."""
    journal = Journal()
    async with reading(kafka, uploads, journal=journal, owner=owner) as reader:
        await reader.until(lambda: len(reader.records) >= count)
        return [
            record.delivery.offset
            for record in reader.records
            if journal.holds(record.delivery, names.journal_id(SourceId(f"id-{record.delivery.offset}")))
        ]


async def test_the_next_owner_knows_what_was_published_beyond_the_committed_offset(
    kafka: KafkaCluster, uploads: str
) -> None:
    """
    A crashed owner's verdicts are found in whatever output they stand, those of other partitions and groups are not.
    """
    await upload(kafka, uploads, 6, partition=PARTITION)
    await commit(kafka, uploads, 1, str(CommitMetadata(LONG_AGO, ANOTHER)))
    await publish_verdicts(
        kafka, uploads, verdict(uploads, 0), verdict(uploads, 2), verdict(uploads, 4),
        verdict(uploads, 3, group="other"), verdict(uploads, 5, partition=PARTITION + 1),
    )  # fmt: skip
    await publish_verdicts(kafka, uploads, verdict(uploads, 5), topic="block")

    assert await known(kafka, uploads, 5) == [2, 4, 5]


async def test_only_the_journal_since_the_mark_is_read(kafka: KafkaCluster, uploads: str) -> None:
    """
    What is older than the committed mark, by more than clocks may differ, is behind the committed offset for certain.
    """
    await upload(kafka, uploads, 4, partition=PARTITION)
    await commit(kafka, uploads, 0, str(CommitMetadata(LONG_AGO, ANOTHER)))
    await publish_verdicts(
        kafka, uploads, verdict(uploads, 0, at=LONG_AGO - 100), verdict(uploads, 1, at=LONG_AGO - 0.5)
    )
    await publish_verdicts(kafka, uploads, verdict(uploads, 2, at=LONG_AGO + 1), topic="review")

    assert await known(kafka, uploads, 4) == [1, 2]


@pytest.mark.parametrize("metadata", ["", "somebody else's", "mc1 1763632801.123 0123ab", "AAAB" * 1_000])
async def test_after_a_commit_that_is_not_ours_all_of_the_journal_is_read(
    kafka: KafkaCluster, uploads: str, metadata: str
) -> None:
    """
    A group that an operator's tool has reset, or another client has committed for, pays for nothing again.
    """
    await upload(kafka, uploads, 2, partition=PARTITION)
    await commit(kafka, uploads, 0, metadata)
    await publish_verdicts(kafka, uploads, verdict(uploads, 0, at=LONG_AGO))

    assert await known(kafka, uploads, 2) == [0]


async def test_a_group_that_never_committed_has_no_journal(kafka: KafkaCluster, uploads: str) -> None:
    """
    Nothing was ever begun, so nothing is read; and the first commit comes before the first record.
    """
    await upload(kafka, uploads, 2, partition=PARTITION)

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 2)
        found = (await committed(kafka.bootstrap_servers, uploads))[TopicPartition(uploads, PARTITION)]

    assert found.offset == 0
    assert CommitMetadata.read(found.metadata) is not None


async def test_dead_letters_are_known_by_their_own_headers(kafka: KafkaCluster, uploads: str) -> None:
    """
    A buried message that was itself an output keeps a verdict's headers, which say nothing of its source.
    """
    await upload(kafka, uploads, 4, partition=PARTITION)
    await commit(kafka, uploads, 0, str(CommitMetadata(LONG_AGO, ANOTHER)))
    misleading = verdict(uploads, 1)
    ours = {"dlq_id": "id-3", "dlq_source_topic": uploads, "dlq_source_partition": "1", "dlq_source_offset": "3"}
    headers = [*misleading.headers, *((name, value.encode()) for name, value in ours.items())]
    await publish_verdicts(kafka, uploads, NewRecord(b"\xff", headers=headers), topic="dead_letter")

    assert await known(kafka, uploads, 4, names=OF_DEAD_LETTER) == [3]
    assert await known(kafka, uploads, 4) == []


async def test_outputs_that_others_wrote_are_passed_over(kafka: KafkaCluster, uploads: str) -> None:
    """
    Null values, missing and senseless headers in the outputs stop nobody from reading on.
    """
    await upload(kafka, uploads, 3, partition=PARTITION)
    await commit(kafka, uploads, 0, "")
    group = ("source_group", uploads.encode())
    broken = [
        NewRecord(None, key=b"k"),
        NewRecord(b"", headers=[group]),
        NewRecord(b"", headers=[*verdict(uploads, 1).headers, ("source_offset", b"x")]),
        NewRecord(b"", headers=[*verdict(uploads, 1).headers, ("ce_id", b"\xff")]),
    ]
    await publish_verdicts(kafka, uploads, *broken, verdict(uploads, 2))

    assert await known(kafka, uploads, 3) == [2]


async def test_outputs_with_gaps_are_read_to_their_end(kafka: KafkaCluster, uploads: str) -> None:
    """
    Markers of others' transactions and deleted records in the outputs leave gaps, at their beginning and end too.
    """
    await upload(kafka, uploads, 3, partition=PARTITION)
    await commit(kafka, uploads, 0, "")
    output = TopicPartition(f"{uploads}.pass", 0)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=uploads) as producer:
        for offset in range(3):
            async with producer.transaction():
                record = verdict(uploads, offset)
                await producer.send_and_wait(output.topic, b"", partition=0, headers=record.headers)
    async with admin_client(kafka.bootstrap_servers) as admin:
        await admin.delete_records({output: RecordsToDelete(before_offset=2)})

    assert await known(kafka, uploads, 3) == [1, 2]


async def test_a_commit_that_retention_overtook_is_no_obstacle(kafka: KafkaCluster, uploads: str) -> None:
    """
    With records deleted beyond the committed offset, reading goes on from what is left, and so does committing.
    """
    await upload(kafka, uploads, 10, partition=PARTITION)
    await commit(kafka, uploads, 2, str(CommitMetadata(LONG_AGO, ANOTHER)))
    await publish_verdicts(kafka, uploads, verdict(uploads, 7))
    async with admin_client(kafka.bootstrap_servers) as admin:
        await admin.delete_records({TopicPartition(uploads, PARTITION): RecordsToDelete(before_offset=6)})
    journal = Journal()

    async with reading(kafka, uploads, journal=journal, owner=OURS) as reader:
        await reader.until(lambda: len(reader.records) == 4)
        knows = journal.holds(reader.records[1].delivery, SourceId("id-7"))
        reader.settle_all()

    assert reader.offsets(PARTITION) == [6, 7, 8, 9]
    assert knows
    assert (await committed(kafka.bootstrap_servers, uploads))[TopicPartition(uploads, PARTITION)].offset == 10


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(kafka: KafkaCluster, uploads: str) -> None:
    """
    A committed offset beyond the end of the log is another log's: what is there is read, and committed lower.
    """
    await upload(kafka, uploads, 3, partition=PARTITION)
    await commit(kafka, uploads, 500, str(CommitMetadata(LONG_AGO, ANOTHER)))

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 3)
        reader.settle_all()

    assert reader.offsets(PARTITION) == [0, 1, 2]
    assert (await committed(kafka.bootstrap_servers, uploads))[TopicPartition(uploads, PARTITION)].offset == 3


async def test_a_log_that_begins_anew_while_it_is_read(kafka: KafkaCluster, uploads: str) -> None:
    """
    When the position is reset below what was read, as aiokafka does with a log that lost its end, the records there are
    read with the old ones still open, and the new log's offsets are committed.
    """
    await upload(kafka, uploads, 5, partition=PARTITION)

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 5)
        await reader.source._consumer.seek_to_beginning(TopicPartition(uploads, PARTITION))
        await reader.until(lambda: len(reader.records) == 10)
        for record in reader.records[5:8]:
            record.settle()

    assert reader.offsets(PARTITION) == [0, 1, 2, 3, 4] * 2
    assert (await committed(kafka.bootstrap_servers, uploads))[TopicPartition(uploads, PARTITION)].offset == 3


async def test_a_compacted_topic_is_committed_to_its_end(kafka: KafkaCluster, topic: str) -> None:
    """
    Gaps at the head, in the middle and at the tail of the uploads leave nothing unread and no lag.
    """
    compacted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}
    await kafka.create_topic(topic, configs=compacted)
    values = [(b"a", b"0"), (b"b", b"1"), (b"a", b"2"), (b"c", b"3"), (b"d", b"4"), (b"c", b"5"), (b"c", b"6")]
    await publish(kafka.bootstrap_servers, topic, [NewRecord(value, key=key) for key, value in values])

    async def is_compacted() -> bool:
        await asyncio.sleep(0.2)  # a segment is closed by the first record that comes after its time
        await publish(kafka.bootstrap_servers, topic, [NewRecord(b"last", key=b"last")])
        read = await read_all(kafka.bootstrap_servers, topic)
        return [record.offset for record in read if record.key != b"last"] == [1, 2, 4, 6]

    await until(is_compacted)
    records = await read_all(kafka.bootstrap_servers, topic)

    async with reading(kafka, topic) as reader:
        await reader.until(lambda: len(reader.records) >= len(records))
        for record in reversed(reader.records):
            record.settle()

    assert reader.offsets(0)[: len(records)] == [record.offset for record in records]
    found = (await committed(kafka.bootstrap_servers, topic))[TopicPartition(topic, 0)]
    assert found.offset == reader.offsets(0)[-1] + 1


async def test_a_full_partition_goes_on_after_a_rebalance(kafka: KafkaCluster, uploads: str) -> None:
    """
    A partition that is paused because it is full comes out of a rebalance unpaused and is paused again; nothing is lost
    or read out of order, whoever gets it.
    """
    window, waiting = 10, 2 * MAX_POLL_RECORDS
    for partition in range(4):
        await upload(kafka, uploads, waiting, partition=partition)
    limits = AdmissionSettings(max_records_per_partition=window)

    async with reading(kafka, uploads, limits, owner=OURS) as first:
        await first.until(lambda: len(first.records) >= 4 * window)
        async with reading(kafka, uploads, limits, owner=ANOTHER) as second:
            await second.until(lambda: len(second.records) >= 2 * window)
            held = [len(reader.records) for reader in (first, second)]
            await until(lambda: all_settled(first, second, 4 * waiting))

    assert max(held) <= (4 + 2) * (window + MAX_POLL_RECORDS)  # four partitions, and two of them again
    for partition in range(4):
        read = {*first.offsets(partition), *second.offsets(partition)}
        assert read == set(range(waiting))
    found = await committed(kafka.bootstrap_servers, uploads)
    assert {found[TopicPartition(uploads, partition)].offset for partition in range(4)} == {waiting}


async def test_a_transactional_upstream_leaves_no_lag(kafka: KafkaCluster, uploads: str) -> None:
    """
    Aborted uploads did not happen, and markers are no records: with all settled the end of the log is committed.
    """
    partition = TopicPartition(uploads, PARTITION)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=uploads) as producer:
        for value in (b"a", None, b"b"):
            await producer.begin_transaction()
            await producer.send_and_wait(uploads, value or b"aborted", partition=PARTITION)
            await (producer.commit_transaction() if value else producer.abort_transaction())

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 2)
        reader.settle_all()

        async def all_committed() -> bool:
            return bool((await committed(kafka.bootstrap_servers, uploads))[partition].offset == 6)

        await until(all_committed)

    assert [record.delivery.value for record in reader.records] == [b"a", b"b"]


def all_settled(first: Reader, second: Reader, count: int) -> bool:
    """Settle what has come, and say whether that was all."""
    for reader in (first, second):
        reader.settle_all()
    read = {(record.delivery.topic_partition, record.delivery.offset) for record in (*first.records, *second.records)}
    return len(read) == count
