import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from consumer.config import ShutdownSettings
from consumer.pipeline import Turn
from consumer.records import Delivery
from consumer.service import DrainTimeout, Service
from tests.events import delivery

PATIENT = ShutdownSettings(drain_timeout=5.0, drain_on_revoke=5.0)


@dataclass
class ListedRecord:
    """A record that notes what became of it."""

    delivery: Delivery
    fate: str = "held"

    def settle(self) -> None:
        assert self.fate == "held"
        self.fate = "settled"

    def release(self) -> None:
        assert self.fate == "held"
        self.fate = "released"


class ListedSource:
    """Yields some records, then nothing more until it is told to stop."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.records = [ListedRecord(each) for each in deliveries]
        self._stopped = asyncio.Event()

    async def batches(self) -> AsyncIterator[Sequence[ListedRecord]]:
        yield self.records
        await self._stopped.wait()

    def stop_reading(self) -> None:
        self._stopped.set()

    @property
    def fates(self) -> list[str]:
        return [record.fate for record in self.records]


@dataclass
class GatedPipeline:
    """Carries each message when its gate opens; publishing waits for the message's turn."""

    size: int = 1_000
    begun: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    failures: dict[int, Exception] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def gate(self, offset: int) -> asyncio.Event:
        return self.gates.setdefault(offset, asyncio.Event())

    def open(self, *offsets: int) -> None:
        for offset in offsets:
            self.gate(offset).set()

    async def carry(self, delivery: Delivery, turn: Turn) -> None:
        self.begun.append(delivery.offset)
        await self._notify()
        await self.gate(delivery.offset).wait()
        if delivery.offset in self.failures:
            raise self.failures[delivery.offset]
        await turn.wait()
        self.published.append(delivery.offset)
        await self._notify()

    async def room(self) -> None:
        await self.until(lambda: len(self.begun) - len(self.published) < self.size)

    async def until(self, holds: object) -> None:
        assert callable(holds)
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(holds)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def service_of(source: ListedSource, pipeline: GatedPipeline, limits: ShutdownSettings = PATIENT) -> Service:
    return Service(source, pipeline, pipeline.room, lambda: None, limits)  # type: ignore[arg-type]


async def test_a_stop_finishes_what_has_begun_and_nothing_behind_it() -> None:
    """
    Messages that wait have cost nothing: they are left for the next reader. Those that have begun are finished.
    """
    source, pipeline, stop = (
        ListedSource([delivery(offset=n, key=None) for n in range(5)]),
        GatedPipeline(2),
        asyncio.Event(),
    )
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1])

    stop.set()
    await asyncio.sleep(0)
    pipeline.open(0, 1)
    await running

    assert source.fates == ["settled", "settled", "released", "released", "released"]
    assert pipeline.begun == [0, 1]


async def test_a_stop_that_takes_too_long_says_so() -> None:
    """
    What does not end within the drain timeout is left open, and the service fails.
    """
    source, pipeline, stop = ListedSource([delivery()]), GatedPipeline(), asyncio.Event()
    hasty = ShutdownSettings(drain_timeout=0.01, drain_on_revoke=0.01)
    running = asyncio.create_task(service_of(source, pipeline, hasty).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    stop.set()

    with pytest.raises(DrainTimeout, match="1 messages in flight"):
        await running
    assert source.fates == ["released"]


async def test_a_keys_messages_publish_in_their_order() -> None:
    """
    They are judged at once; one that is done early waits for those before it, and other keys wait for nobody.
    """
    source = ListedSource(
        [delivery(offset=0), delivery(offset=1), delivery(offset=2, key=b"other"), delivery(offset=3)]
    )
    pipeline, stop = GatedPipeline(), asyncio.Event()
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1, 2, 3])

    pipeline.open(3, 1, 2)
    await pipeline.until(lambda: pipeline.published == [2])
    pipeline.open(0)
    await pipeline.until(lambda: len(pipeline.published) == 4)
    stop.set()
    await running

    assert pipeline.published == [2, 0, 1, 3]


async def test_messages_without_a_key_are_free() -> None:
    """
    Without a key there is no order to keep.
    """
    source, pipeline, stop = (
        ListedSource([delivery(offset=n, key=None) for n in range(2)]),
        GatedPipeline(),
        asyncio.Event(),
    )
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1])

    pipeline.open(1)
    await pipeline.until(lambda: pipeline.published == [1])
    pipeline.open(0)
    stop.set()
    await running

    assert pipeline.published == [1, 0]


async def test_a_failure_to_publish_stops_the_service_and_nobody_overtakes() -> None:
    """
    The message stays open, its key's later messages publish nothing, the others finish, and the error escapes.
    """
    source = ListedSource([delivery(offset=0), delivery(offset=1), delivery(offset=2, key=b"other")])
    pipeline, stop = GatedPipeline(failures={0: ConnectionError("lost")}), asyncio.Event()
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1, 2])

    pipeline.open(1, 2, 0)
    with pytest.raises(ConnectionError):
        await running

    assert source.fates == ["released", "released", "settled"]
    assert pipeline.published == [2]


async def test_a_drain_waits_for_its_partitions_only() -> None:
    """
    On revocation the partition's waiting messages are dropped and its begun ones finished; others go on.
    """
    source = ListedSource([
        delivery(offset=0, partition=0), delivery(offset=1, partition=1),
        delivery(offset=2, partition=0, key=b"x"), delivery(offset=3, partition=1, key=b"x"),
    ])  # fmt: skip
    pipeline, stop = GatedPipeline(2), asyncio.Event()
    service = service_of(source, pipeline)
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1])

    draining = asyncio.create_task(service.drain([("uploads", 0)]))
    pipeline.open(0)
    await draining
    fates = source.fates
    pipeline.open(1, 3)
    await pipeline.until(lambda: len(pipeline.published) == 3)
    stop.set()
    await running

    assert fates == ["settled", "held", "released", "held"]
    assert source.fates == ["settled", "settled", "released", "settled"]


async def test_a_drain_does_not_wait_for_ever() -> None:
    """
    After `drain_on_revoke` the rebalance goes on; what is in flight ends when it ends.
    """
    source, pipeline, stop = ListedSource([delivery()]), GatedPipeline(), asyncio.Event()
    service = service_of(source, pipeline, ShutdownSettings(drain_timeout=5.0, drain_on_revoke=0.01))
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    await service.drain([("uploads", 0)])
    still_held = source.fates
    pipeline.open(0)
    stop.set()
    await running

    assert still_held == ["held"]
    assert source.fates == ["settled"]
