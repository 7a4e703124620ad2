"""The service's own source on a broker, read from by a test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

from consumer.clock import Clock, SystemClock
from consumer.config.kafka import JournalSettings, KafkaSettings, OutputTopics
from consumer.config.operation import AdmissionSettings
from consumer.dispatch.quota import Due, Quota
from consumer.fairness import DEFAULT
from consumer.intake.admission import Admission
from consumer.intake.partitions import KafkaRecord
from consumer.intake.source import KafkaSource
from consumer.journal.belief import Belief
from consumer.journal.journal import Journal
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.records import Partition
from tests.rig.kafka import NewRecord, publish
from tests.rig.kafka.waiting import DEADLINE
from tests.rig.outcomes import OUTCOMES
from tests.rig.sources import NO_KEYS, kafka_source

LAST_POLL = 5.0  # seconds
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


def output_topics(uploads: str) -> OutputTopics:
    names = OUTCOMES
    return OutputTopics.model_validate({name: f"{uploads}.{name}" for name in names})


def kafka_settings(broker: Broker, uploads: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        group_id=uploads,
        topics=(uploads,),
        outputs=output_topics(uploads),
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
    clock: Clock | None = None,
    skip_damaged: Collection[str] = (),
    journal_limits: JournalSettings | None = None,
    auto_offset_reset: Literal["earliest", "latest"] = "earliest",
    keyring: Keyring = NO_KEYS,
    **changes: Any,
) -> AsyncIterator[Reader]:
    """
    A member of the group that reads until the block ends, and then commits what was settled.

    `changes` are of `kafka`'s settings.
    """

    async def nothing_in_flight(_: Collection[Partition]) -> None:
        return

    settings, clock = kafka_settings(broker, uploads), clock or SystemClock()
    chosen = {"skip_damaged": tuple(skip_damaged), "auto_offset_reset": auto_offset_reset, **changes}
    settings = settings.model_copy(update=chosen)
    access = KafkaAccess(settings)
    journal = Journal() if journal is None else journal
    source = kafka_source(
        settings,
        access,
        Admission(limits),
        {uploads: DEFAULT},
        journal,
        OutputReader(settings, access, 1.0, None if keyring.is_empty else Belief(keyring, 0.0, clock.wall)),
        journal_limits or JournalSettings(),
        Quota({DEFAULT: Due((uploads,), 100)}, session_timeout=settings.session_timeout, window=1.0),
        owner,
        clock,
        keyring,
    )
    async with source.opened(nothing_in_flight):
        reader = Reader(source)
        task = asyncio.create_task(reader.read())
        yield reader
        source.stop_reading()
        await asyncio.wait([task], timeout=LAST_POLL)
        if not task.done():
            task.cancel()  # as the service does: while brokers are away a poll may not return
            await asyncio.wait([task])
        elif error := task.exception():
            raise error


async def upload(broker: Broker, uploads: str, count: int, *, partition: int, size: int = 10) -> None:
    records = [NewRecord(b"x" * size, partition=partition) for _ in range(count)]
    await publish(broker.bootstrap_servers, uploads, records)
