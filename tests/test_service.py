import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace

import pytest

from consumer.clock import SystemClock
from consumer.config import Ordering
from consumer.config.operation import ShutdownSettings
from consumer.dispatch.in_flight import InFlight
from consumer.fairness import DEFAULT, Lanes
from consumer.intake import Reading
from consumer.records import Delivery, Partition
from consumer.service import DrainTimeout, Service
from consumer.verdicts.publisher import PublishTurn
from tests.rig.events import delivery

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
    """Yields some records, and more when it is handed more, until it is told to stop. Owns all but what it lost."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.records: list[ListedRecord] = []
        self.lost: set[Partition] = set()
        self.epoch = 0  # of every partition
        self.is_rebalancing = False  # reading does not end
        self.settled = asyncio.Event()  # who owns what
        self.settled.set()
        self._batches: asyncio.Queue[list[ListedRecord] | None] = asyncio.Queue()
        self.deliver(deliveries)

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Read these, again or for the first time."""
        batch = [ListedRecord(each) for each in deliveries]
        self.records += batch
        self._batches.put_nowait(batch)

    async def batches(self) -> AsyncIterator[Sequence[ListedRecord]]:
        while (batch := await self._batches.get()) is not None:
            yield batch

    def stop_reading(self) -> None:
        if not self.is_rebalancing:
            self._batches.put_nowait(None)

    def readings(self, most_open: int) -> Sequence[Reading]:
        open_now = [record.delivery.offset for record in self.records if record.fate == "held"]
        return [
            Reading(
                partition=Partition("uploads", 0), committed=0, journal_from=5.0, taken_over=True, open=len(open_now),
                oldest=[(offset, 7.0) for offset in open_now[:most_open]],
            )
        ]  # fmt: skip

    async def settled_owner(self, partition: Partition, epoch: int) -> bool:
        await self.settled.wait()
        return partition not in self.lost and epoch == self.epoch

    @property
    def fates(self) -> list[str]:
        return [record.fate for record in self.records]

    async def until(self, fates: list[str]) -> None:
        async with asyncio.timeout(5):
            while self.fates != fates:
                await asyncio.sleep(0)


@dataclass
class GatedPipeline:
    """Carries each message when its gate opens; publishing waits for the message's turn."""

    size: int = 1_000
    begun: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    failures: dict[int, Exception] = field(default_factory=dict)
    ignored: set[int] = field(default_factory=set)
    in_flight: InFlight = field(default_factory=lambda: InFlight(SystemClock()))
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def gate(self, offset: int) -> asyncio.Event:
        return self.gates.setdefault(offset, asyncio.Event())

    def open(self, *offsets: int) -> None:
        for offset in offsets:
            self.gate(offset).set()

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        self.begun.append(delivery.offset)
        await self._notify()
        if delivery.offset in self.ignored:
            return
        with self.in_flight:
            await self.gate(delivery.offset).wait()
        if delivery.offset in self.failures:
            raise self.failures[delivery.offset]
        with self.in_flight:
            await turn.wait()
        self.published.append(delivery.offset)
        await self._notify()

    def has_capacity(self, lane: str) -> bool:
        return len(self.begun) - len(self.published) < self.size

    async def wait_for_capacity(self, lanes: Collection[str]) -> None:
        await self.until(lambda: self.has_capacity(DEFAULT))

    def give_up_waiting(self) -> None:
        return

    async def until(self, holds: object) -> None:
        assert callable(holds)
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(holds)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class ParkedPipeline(GatedPipeline):
    """Its messages wait for their calls: nothing is in flight."""

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        self.begun.append(delivery.offset)
        await self._notify()
        await self.gate(delivery.offset).wait()
        await turn.wait()
        self.published.append(delivery.offset)
        await self._notify()


def service_of(
    source: ListedSource, pipeline: GatedPipeline, limits: ShutdownSettings = PATIENT, *, ordering: Ordering = "key"
) -> Service:
    return Service(
        source,
        pipeline,
        pipeline.in_flight,
        pipeline,
        limits,
        Lanes({DEFAULT: 1.0}, {"uploads": DEFAULT}),
        ordering=ordering,
    )


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


async def test_a_stop_does_not_wait_for_reading() -> None:
    """
    aiokafka's `getmany` does not return while a rebalance lasts. With nothing in flight a stop ends all the same.
    """
    source, pipeline, stop = ListedSource([]), GatedPipeline(), asyncio.Event()
    source.is_rebalancing = True
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await asyncio.sleep(0)

    stop.set()

    async with asyncio.timeout(PATIENT.drain_timeout / 2):
        await running


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


@pytest.mark.parametrize("begins_late", [False, True])
async def test_a_message_with_nothing_to_publish_lets_nobody_overtake(begins_late: bool) -> None:
    """
    Between two uploads of an object may lie its removal, which is ignored: the second still waits for the first.
    """
    source, stop = ListedSource([delivery(offset=0), delivery(offset=1)]), asyncio.Event()
    pipeline = GatedPipeline(ignored={1})
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    if begins_late:
        await source.until(["held", "settled"])
    source.deliver([delivery(offset=2)])
    pipeline.open(2)
    await source.until(["held", "settled", "held"])

    await asyncio.sleep(0.05)
    early = list(pipeline.published)
    pipeline.open(0)
    await pipeline.until(lambda: len(pipeline.published) == 2)
    stop.set()
    await running

    assert early == []
    assert pipeline.published == [0, 2]


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


async def test_order_need_not_be_kept() -> None:
    """
    With `ordering: none` the messages of a key are as free as those without one.
    """
    source, pipeline, stop = ListedSource([delivery(offset=n) for n in range(2)]), GatedPipeline(), asyncio.Event()
    running = asyncio.create_task(service_of(source, pipeline, ordering="none").run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1])

    pipeline.open(1)
    await pipeline.until(lambda: pipeline.published == [1])
    pipeline.open(0)
    stop.set()
    await running

    assert pipeline.published == [1, 0]


async def test_a_drain_drops_what_waits_and_finishes_what_is_in_flight() -> None:
    """
    On revocation the waiting messages are dropped, and what is in flight is finished, what it held up of its key too.
    """
    source = ListedSource([delivery(offset=0), delivery(offset=1), delivery(offset=2, key=b"x")])
    pipeline, stop = GatedPipeline(2), asyncio.Event()
    service = service_of(source, pipeline)
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1])
    pipeline.open(1)

    draining = asyncio.create_task(service.drain([Partition("uploads", 0)]))
    await asyncio.sleep(0)
    fates = source.fates
    pipeline.open(0)
    await draining
    drained = source.fates
    stop.set()
    await running

    assert fates == ["held", "held", "released"]
    assert drained == ["settled", "settled", "released"]
    assert pipeline.published == [0, 1]


async def test_a_drain_waits_for_nobody_who_has_nothing_in_flight() -> None:
    """
    A message that waits for its call, or for a provider that is away, costs nothing and outlives the rebalance.
    """
    source, stop = ListedSource([delivery()]), asyncio.Event()
    pipeline = ParkedPipeline()
    service = service_of(source, pipeline)
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    async with asyncio.timeout(PATIENT.drain_on_revoke / 2):
        await service.drain([Partition("uploads", 0)])
    parked = source.fates
    source.deliver([delivery()])
    pipeline.open(0)
    await pipeline.until(lambda: pipeline.published == [0])
    stop.set()
    await running

    assert parked == ["held"]
    assert source.fates == ["settled", "settled"]
    assert pipeline.begun == [0]


async def test_a_message_that_is_read_again_joins_what_is_in_flight() -> None:
    """
    Every reading of it settles with the one call; it is not begun a second time.
    """
    source, pipeline, stop = ListedSource([delivery(offset=0)]), GatedPipeline(), asyncio.Event()
    service = service_of(source, pipeline, ShutdownSettings(drain_timeout=5.0, drain_on_revoke=0.01))
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    await service.drain([Partition("uploads", 0)])
    source.deliver([delivery(offset=0), delivery(offset=1)])
    await pipeline.until(lambda: pipeline.begun == [0, 1])
    pipeline.open(0, 1)
    await pipeline.until(lambda: pipeline.published == [0, 1])
    stop.set()
    await running

    assert source.fates == ["settled", "settled", "settled"]
    assert pipeline.begun == [0, 1]


async def test_what_completes_during_a_rebalance_waits_for_its_outcome() -> None:
    """
    Once a revocation has ended nothing is published until it is certain who owns the partition.
    """
    source, pipeline, stop = ListedSource([delivery()]), GatedPipeline(), asyncio.Event()
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    source.settled.clear()
    pipeline.open(0)
    await asyncio.sleep(0.05)
    meanwhile = list(pipeline.published)
    source.settled.set()
    await pipeline.until(lambda: pipeline.published == [0])
    stop.set()
    await running

    assert meanwhile == []


async def test_what_another_replica_has_got_is_dropped_and_delays_nobody() -> None:
    """
    A message whose partition is gone settles nothing; one of its key that comes later, after the partition has come
    back, is published.
    """
    source, pipeline, stop = ListedSource([delivery(offset=0)]), GatedPipeline(), asyncio.Event()
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    source.lost.add(Partition("uploads", 0))
    pipeline.open(0)
    await source.until(["released"])
    source.lost.clear()
    source.deliver([delivery(offset=0), delivery(offset=1)])
    pipeline.open(1)
    await pipeline.until(lambda: pipeline.published == [0, 1])
    stop.set()
    await running

    assert source.fates == ["released", "settled", "settled"]


async def test_what_was_begun_before_another_replica_had_the_partition_publishes_nothing() -> None:
    """
    That one may have finished it. It is begun anew where it is read again, and nothing of its key is out of order.
    """
    source, pipeline, stop = ListedSource([delivery(offset=n) for n in range(3)]), GatedPipeline(), asyncio.Event()
    running = asyncio.create_task(service_of(source, pipeline).run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1, 2])

    source.epoch = 1
    source.deliver([replace(delivery(offset=n), epoch=1) for n in (1, 2)])
    await pipeline.until(lambda: pipeline.begun == [0, 1, 2, 1, 2])
    pipeline.open(2, 1, 0)
    await source.until(["released"] * 3 + ["settled"] * 2)
    stop.set()
    await running

    assert pipeline.published == [1, 2]


async def test_a_drain_does_not_wait_for_ever() -> None:
    """
    After `drain_on_revoke` the rebalance goes on; what is in flight ends when it ends.
    """
    source, pipeline, stop = ListedSource([delivery()]), GatedPipeline(), asyncio.Event()
    service = service_of(source, pipeline, ShutdownSettings(drain_timeout=5.0, drain_on_revoke=0.01))
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    await service.drain([Partition("uploads", 0)])
    still_held = source.fates
    pipeline.open(0)
    stop.set()
    await running

    assert still_held == ["held"]
    assert source.fates == ["settled"]


async def test_it_tells_what_is_open_and_in_which_state() -> None:
    """
    An operator sees which messages hold a partition: those that wait, that are judged, that wait for their key.
    """
    source, pipeline = ListedSource([delivery(offset=n) for n in range(3)]), GatedPipeline(2)
    service, stop = service_of(source, pipeline), asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0, 1])
    pipeline.open(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    [shown] = service.offsets()
    stop.set()
    await asyncio.sleep(0)
    pipeline.open(0)
    await running

    assert (shown["topic"], shown["partition"], shown["open"]) == ("uploads", 0, 3)
    assert [each["state"] for each in shown["oldest"]] == ["judging", "behind its key", "waiting"]


async def test_it_tells_the_oldest_upload_that_has_no_outcome() -> None:
    """
    By the moment from which on Kafka keeps it, begun or waiting, of one topic: retention counts from there.
    """
    uploads = [replace(delivery(offset=n), kept_from=at) for n, at in enumerate((30.0, 20.0, 10.0))]
    source, pipeline, stop = ListedSource(uploads), GatedPipeline(1), asyncio.Event()
    service = service_of(source, pipeline)
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])

    oldest = service.oldest_upload("uploads")
    pipeline.open(0, 1, 2)
    await pipeline.until(lambda: pipeline.published == [0, 1, 2])
    stop.set()
    await running

    assert oldest == 10.0
    assert service.oldest_upload("uploads") is service.oldest_upload("another") is None


async def test_it_says_what_is_open_and_whether_it_drains() -> None:
    """
    Open is what has begun and what waits. It drains in a rebalance, and from a stop on for good.
    """
    source = ListedSource([delivery(offset=0), delivery(offset=1)])
    pipeline, stop = GatedPipeline(1), asyncio.Event()
    service = service_of(source, pipeline)
    running = asyncio.create_task(service.run(stop))
    await pipeline.until(lambda: pipeline.begun == [0])
    assert [each.offset for each in service.open_deliveries()] == [0, 1]
    assert not service.is_draining

    draining = asyncio.create_task(service.drain([Partition("uploads", 7)]))
    await asyncio.sleep(0)
    assert service.is_draining
    pipeline.open(0, 1)
    await draining
    assert not service.is_draining
    stop.set()
    await running

    assert service.is_draining
    assert list(service.open_deliveries()) == []
