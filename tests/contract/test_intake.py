"""The service's own reading and publishing, on the embedded broker and the real one alike."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Protocol

from aiokafka import TopicPartition

from consumer.clock import SystemClock
from consumer.config import AdmissionSettings, JournalSettings, KafkaSettings, OutputTopics, Policy, PolicySettings
from consumer.errors import Undecodable
from consumer.flight import Flight
from consumer.intake.admission import Admission
from consumer.intake.journal import Journal
from consumer.intake.kafka import MAX_POLL_RECORDS, POLL_TIMEOUT, KafkaRecord, KafkaSource
from consumer.intake.tail import Tail
from consumer.records import Assessment, Failure
from consumer.verdicts.doubts import Doubts
from consumer.verdicts.encode import Encoding
from consumer.verdicts.kafka import KafkaSink
from consumer.verdicts.policy import Deciding
from tests.events import delivery, submission
from tests.kafka import KafkaCluster, NewRecord, publish, read_all
from tests.kafka.waiting import DEADLINE

ROOMY = AdmissionSettings()


class Broker(Protocol):
    """The embedded one or a real one."""

    @property
    def bootstrap_servers(self) -> str: ...


class Reader:
    """Reads from a source in the background and keeps what comes."""

    def __init__(self, source: KafkaSource) -> None:
        self.source = source
        self.records: list[KafkaRecord] = []
        self._settled = 0
        self._came = asyncio.Condition()

    async def read(self) -> None:
        async for batch in self.source.batches():
            async with self._came:
                self.records += batch
                self._came.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once enough has come."""
        async with asyncio.timeout(DEADLINE), self._came:
            await self._came.wait_for(holds)

    def offsets(self, partition: int) -> list[int]:
        """The offsets that were read of a partition."""
        return [record.delivery.offset for record in self.records if record.delivery.partition == partition]

    def settle_all(self) -> None:
        """Settle every record that has come so far."""
        while self._settled < len(self.records):
            self.records[self._settled].settle()
            self._settled += 1


def kafka_settings(broker: Broker, uploads: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        group_id=uploads,
        topics=(uploads,),
        outputs=OutputTopics.model_validate(
            {name: f"{uploads}.{name}" for name in ("block", "review", "pass", "dead_letter")}
        ),
        session_timeout=6.0,
        heartbeat_interval=0.3,
        commit_interval=0.1,
    )


@asynccontextmanager
async def reading(
    broker: Broker,
    uploads: str,
    limits: AdmissionSettings = ROOMY,
    *,
    journal: Journal | None = None,
    owner: str = "00000000",
) -> AsyncIterator[Reader]:
    """A member of the group that reads until the block ends, and then commits what was settled."""

    async def nothing_in_flight(_: Collection[TopicPartition]) -> None:
        return

    settings, clock = kafka_settings(broker, uploads), SystemClock()
    journal = Journal() if journal is None else journal
    source = KafkaSource(
        settings, Admission(limits), journal, Tail(settings, 1.0), JournalSettings(), Flight(clock), owner, clock
    )
    async with source.opened(nothing_in_flight):
        reader = Reader(source)
        task = asyncio.create_task(reader.read())
        yield reader
        source.stop_reading()
        await task


async def upload(broker: Broker, uploads: str, count: int, *, partition: int, size: int = 10) -> None:
    records = [NewRecord(b"x" * size, partition=partition) for _ in range(count)]
    await publish(broker.bootstrap_servers, uploads, records)


async def test_only_what_lies_behind_the_lowest_open_record_is_committed(broker: Broker, uploads: str) -> None:
    """
    The next reader gets the open record and all behind it, settled or not; nothing that was settled before it.
    """
    await upload(broker, uploads, 5, partition=1)
    async with reading(broker, uploads) as first:
        await first.until(lambda: len(first.records) == 5)
        for record in first.records:
            if record.delivery.offset != 2:
                record.settle()

    async with reading(broker, uploads) as second:
        await second.until(lambda: len(second.records) == 3)

    assert second.offsets(1) == [2, 3, 4]


async def test_a_full_partition_is_paused_and_the_others_go_on(broker: Broker, uploads: str) -> None:
    """
    A partition whose window is full is not read from until half of it has settled; another is read meanwhile.
    """
    window, waiting = 10, MAX_POLL_RECORDS + 100
    await upload(broker, uploads, waiting, partition=0)
    limits = AdmissionSettings(max_records_per_partition=window, max_records=2_000)
    async with reading(broker, uploads, limits) as reader:
        await reader.until(lambda: len(reader.offsets(0)) >= window)
        held = len(reader.offsets(0))
        await upload(broker, uploads, 5, partition=1)
        await reader.until(lambda: len(reader.offsets(1)) == 5)
        held_later = len(reader.offsets(0))
        reader.settle_all()
        await reader.until(lambda: len(reader.offsets(0)) == waiting)

    assert held == held_later == MAX_POLL_RECORDS
    assert reader.offsets(0) == list(range(waiting))


async def test_no_more_is_held_than_the_limits_and_one_poll(broker: Broker, uploads: str) -> None:
    """
    With the bytes used up nothing more is read of any partition; settling lets it go on, and nothing was lost.
    """
    waiting, size = 400, 1_000
    await upload(broker, uploads, waiting // 2, partition=0, size=size)
    await upload(broker, uploads, waiting // 2, partition=1, size=size)
    async with reading(broker, uploads, AdmissionSettings(max_bytes=100 * size)) as reader:
        most = 0
        while len(reader.records) < waiting:
            seen = len(reader.records)
            await reader.until(lambda seen=seen: len(reader.records) > seen)  # type: ignore[misc]
            await asyncio.sleep(2 * POLL_TIMEOUT)  # long enough for another poll, if there was one
            most = max(most, len(reader.records) - seen)
            reader.settle_all()

    assert most <= 100 + MAX_POLL_RECORDS
    assert sorted(reader.offsets(0) + reader.offsets(1)) == sorted([*range(waiting // 2)] * 2)


async def test_outcomes_are_published_where_they_belong(broker: Broker, uploads: str) -> None:
    """
    A verdict goes to the topic of its decision, a dead letter to its own, with key, value and headers.
    """
    settings = kafka_settings(broker, uploads)
    if isinstance(broker, KafkaCluster):
        for output in (settings.outputs.review, settings.outputs.dead_letter):
            await broker.create_topic(output)
    policy = Policy(settings=PolicySettings(policy="test", version=1), sha256="ab")
    verdict = Deciding(policy).decide(submission(), Assessment(failure=Failure(kind="image", code="407")), 0.0)
    poison = delivery(b"\x00\xff", key=None, headers=[("a", b"1"), ("a", b"2")])

    clock = SystemClock()
    doubts = Doubts(Tail(settings, 1.0).find, clock)
    async with KafkaSink.open(settings, Encoding(group="g"), doubts, Flight(clock), clock) as sink:
        await sink.publish(verdict)
        await sink.bury(poison, Undecodable("not_json", "at byte 0"))

    [published] = await read_all(broker.bootstrap_servers, settings.outputs.review)
    [buried] = await read_all(broker.bootstrap_servers, settings.outputs.dead_letter)
    assert dict(published.headers)["ce_id"] == submission().id.encode()
    assert published.key == b"k"
    assert (buried.key, buried.value) == (None, b"\x00\xff")
    assert list(buried.headers[:2]) == [("a", b"1"), ("a", b"2")]
