"""
Partitions of which a stranger has committed an offset: where they start, what is known of them, and when they are held.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from consumer.commands.accept import Accepted, Done, accept
from consumer.config import Config
from consumer.errors import Misconfigured
from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.commits import Commits
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.journal import Journal
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.records import Partition, SourceId
from tests.contract.consumers import joined
from tests.contract.reading import kafka_settings, reading, upload
from tests.rig.kafka import KafkaCluster, NewRecord, committed, publish
from tests.rig.kafka.waiting import until

KEY = b"k" * 32
OURS = Keyring({"k1": KEY}, "k1")
ANOTHER = "ffffffff"
PARTITION = 1


@pytest.fixture
async def uploads(kafka: KafkaCluster, topic: str) -> str:
    """A topic with ten uploads in one of its partitions, and its outputs."""
    await kafka.create_topic(topic, partitions=4)
    for output in kafka_settings(kafka, topic).outputs.all:
        await kafka.create_topic(output, partitions=2)
    await upload(kafka, topic, 10, partition=PARTITION)
    return topic


async def commit(kafka: KafkaCluster, uploads: str, offset: int, metadata: str = "") -> None:
    """Commit as anybody may who joins the group."""
    async with joined(kafka.bootstrap_servers, uploads, uploads) as consumer:
        await consumer.commit({TopicPartition(uploads, PARTITION): (offset, metadata)})


async def judge(kafka: KafkaCluster, uploads: str, offset: int, *, base: int, keyring: Keyring = OURS) -> None:
    """Publish the verdict about the upload at `offset`, of an owner who had committed `base`."""
    topic, now = f"{uploads}.pass", time.time()
    source = Source(SourceId(f"id-{offset}"), Partition(uploads, PARTITION), offset)
    signature = keyring.sign(Claim(uploads, OF_VERDICT, source, topic, None, b"{}"), now, CommitMark(base, now - 60))
    headers = [*OF_VERDICT.write_source(uploads, source), (HEADER, signature)]
    await publish(kafka.bootstrap_servers, topic, [NewRecord(b"{}", headers=headers)])


async def started(kafka: KafkaCluster, uploads: str, count: int, **changes: Any) -> tuple[list[int], list[int]]:
    """The offsets that the next owner reads, and those whose outcome it knows."""
    journal = Journal()
    async with reading(kafka, uploads, journal=journal, keyring=OURS, **changes) as reader:
        await reader.until(lambda: len(reader.records) >= count)
        known = [
            record.delivery.offset
            for record in reader.records
            if journal.holds(record.delivery, SourceId(f"id-{record.delivery.offset}"))
        ]
        return reader.offsets(PARTITION), known


async def test_a_strangers_commit_is_read_from_what_was_judged(kafka: KafkaCluster, uploads: str) -> None:
    """
    From the offset that the last signed verdict names on; what is published from there on is known.
    """
    for offset in (1, 4, 6):
        await judge(kafka, uploads, offset, base=3)
    await commit(kafka, uploads, 9)

    assert await started(kafka, uploads, 7) == ([3, 4, 5, 6, 7, 8, 9], [4, 6])


@pytest.mark.parametrize("reset", ["earliest", "latest"])
async def test_where_a_commit_is_missing_nothing_is_passed_over(kafka: KafkaCluster, uploads: str, reset: str) -> None:
    """
    Kafka has forgotten it, somebody deleted it, or the topic was deleted and made again: what an outcome says was
    settled may be of another log. All is read, and what is published is known.
    """
    for offset in (1, 4, 6):
        await judge(kafka, uploads, offset, base=3)

    found = await started(kafka, uploads, 10, auto_offset_reset=reset)

    assert found == ([*range(10)], [1, 4, 6])


async def test_with_latest_a_topic_without_outcomes_of_ours_is_new(kafka: KafkaCluster, uploads: str) -> None:
    """
    It begins at its end, whatever a stranger says was judged of it.
    """
    await judge(kafka, uploads, 4, base=3, keyring=Keyring({"k1": b"x" * 32}, "k1"))

    async with reading(kafka, uploads, keyring=OURS, auto_offset_reset="latest") as reader:
        await until(lambda: reader.source.reasons_not_ready() == [] and reader.source.degraded() == [])
        await upload(kafka, uploads, 2, partition=PARTITION)
        await reader.until(lambda: len(reader.records) == 2)

        assert reader.offsets(PARTITION) == [10, 11]


async def test_a_commit_that_looks_like_ours_is_a_strangers(kafka: KafkaCluster, uploads: str) -> None:
    """
    One without a signature, and one that is signed by another key; forged verdicts lead nowhere.
    """
    theirs = Keyring({"k1": b"x" * 32}, "k1")
    await judge(kafka, uploads, 4, base=3)
    await judge(kafka, uploads, 8, base=8, keyring=theirs)
    metadata = str(CommitMetadata(time.time(), ANOTHER))
    forged = Commits(uploads, ANOTHER, theirs, 0.0, time.time).sign(Partition(uploads, PARTITION), 9, metadata)

    await commit(kafka, uploads, 9, metadata)
    assert (await started(kafka, uploads, 7))[0] == [3, 4, 5, 6, 7, 8, 9]
    await commit(kafka, uploads, 9, forged)
    assert (await started(kafka, uploads, 7))[0] == [3, 4, 5, 6, 7, 8, 9]


async def test_our_own_commits_are_signed_and_believed(kafka: KafkaCluster, uploads: str) -> None:
    """
    By the next owner, who starts there; the key's id stands in the metadata.
    """
    async with reading(kafka, uploads, keyring=OURS) as reader:
        await reader.until(lambda: len(reader.records) == 10)
        for record in reader.records[:6]:
            record.settle()
    found = (await committed(kafka.bootstrap_servers, uploads))[TopicPartition(uploads, PARTITION)]

    assert found.offset == 6
    assert found.metadata.split()[0] == "mc2"
    assert found.metadata.split()[3] == "k1"
    assert (await started(kafka, uploads, 4))[0] == [6, 7, 8, 9]


async def test_without_a_key_a_strangers_commit_is_believed(kafka: KafkaCluster, uploads: str) -> None:
    """
    As before there were keys: nothing tells it from an operator's.
    """
    await commit(kafka, uploads, 7)

    async with reading(kafka, uploads) as reader:
        await reader.until(lambda: len(reader.records) == 3)
        assert reader.offsets(PARTITION) == [7, 8, 9]


def config(kafka: KafkaCluster, uploads: str, folder: Path) -> Config:
    (folder / "key").write_bytes(KEY)
    settings = kafka_settings(kafka, uploads).model_dump(by_alias=True)
    return Config.model_validate({"kafka": settings, "identity": {"sign": "k1", "keys": {"k1": folder / "key"}}})


@pytest.mark.scenario
@pytest.mark.parametrize(
    ("judged", "changes", "why"),
    [
        (True, {"foreign_commits": "hold"}, "kafka.foreign_commits is hold"),
        (True, {"rejudge_at_most": 5}, "6 records lie in between"),
        (False, {}, "nothing says where this service was"),
    ],
)
async def test_a_partition_that_is_held_goes_on_once_an_operator_accepts(
    kafka: KafkaCluster, uploads: str, tmp_path: Path, judged: bool, changes: dict[str, Any], why: str
) -> None:
    """
    Readiness names partition, offsets and ways on; the acceptance is found while the replica runs, and it starts there.
    """
    if judged:
        await judge(kafka, uploads, 4, base=3)
    await commit(kafka, uploads, 9)

    async with reading(kafka, uploads, keyring=OURS, **changes) as reader:
        held: Sequence[str] = []

        async def is_held() -> bool:
            nonlocal held
            held = [each for each in reader.source.degraded() if "is held" in each]
            return bool(held)

        await until(is_held)
        before = list(reader.records)
        done = await accept(config(kafka, uploads, tmp_path), [f"{uploads}/{PARTITION}"], False, time.time)
        await reader.until(lambda: len(reader.records) == 1)

    [reason] = held
    assert f"{uploads}/{PARTITION} is held: offset 9 was not committed by this service" in reason
    assert why in reason
    assert f"`moderation-consumer offsets accept {uploads}/{PARTITION}` starts at 9" in reason
    assert before == []
    assert done == [Accepted(Partition(uploads, PARTITION), 9, Done.APPENDED)]
    assert reader.offsets(PARTITION) == [9]


async def test_with_the_group_stopped_an_acceptance_is_a_signed_commit(
    kafka: KafkaCluster, uploads: str, tmp_path: Path
) -> None:
    """
    The next owner starts there, wherever the last verdict was; what was accepted or ours already stays as it is.
    """
    await judge(kafka, uploads, 4, base=3)
    await commit(kafka, uploads, 8)
    settings = config(kafka, uploads, tmp_path)

    first = await accept(settings, [], True, time.time)
    again = await accept(settings, [uploads], False, time.time)

    assert [each.done for each in first] == [Done.NOTHING_COMMITTED, Done.COMMITTED, *[Done.NOTHING_COMMITTED] * 2]
    assert [each.done for each in again] == [Done.NOTHING_COMMITTED, Done.IS_OURS, *[Done.NOTHING_COMMITTED] * 2]
    assert (await started(kafka, uploads, 2, foreign_commits="hold"))[0] == [8, 9]


@pytest.mark.parametrize(
    ("chosen", "everything", "why"),
    [
        ((), False, "name partitions, as TOPIC or TOPIC/PARTITION, or give --all"),
        (("uploads",), True, "name partitions, as TOPIC or TOPIC/PARTITION, or give --all"),
        (("another/3",), False, "another/3: is none of kafka.topics"),
    ],
)
async def test_what_to_accept_must_be_named(
    kafka: KafkaCluster, uploads: str, tmp_path: Path, chosen: Sequence[str], everything: bool, why: str
) -> None:
    """
    All of it or by name, and never by a name that is not there.
    """
    with pytest.raises(Misconfigured, match=why):
        await accept(config(kafka, uploads, tmp_path), chosen, everything, time.time)
