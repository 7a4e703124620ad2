"""
Many messages at once: start them, keep the order of each key and tenant, drain on revoke and at the end.

    source ──► waiting, by lane ──(few of its calls wait for a slot)──► active: one task a message ──► settled

A message that waits has cost nothing, so it is dropped when its partition goes or the service stops; an active one is
finished, unless it has cost nothing either. Messages of a lane start in the order they were read; which of them is
asked about next is decided in `dispatch/flows.py`.

An active message outlives the assignment of its partition. Kafka's eager protocol takes every partition away and gives
most of them back: a message that is read again then joins the active one. Where another replica has got the partition,
or had it meanwhile, an active message publishes nothing, and is started anew should it be read here again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, Protocol

import structlog

from consumer import background
from consumer.config import Ordering
from consumer.config.operation import ShutdownSettings
from consumer.dispatch.in_flight import InFlight
from consumer.errors import ConsumerError, Lost
from consumer.fairness import Lanes
from consumer.intake import Record, Source
from consumer.observability import metrics
from consumer.ordering import KeyOrder, KeyTurn
from consumer.records import Delivery, Partition
from consumer.waiting import Waiting

log = structlog.get_logger()


MOST_OPEN_SHOWN = 10  # of each partition


class DrainTimeout(ConsumerError):
    """Work in flight did not end in time; its offsets are uncommitted."""


class RecordName(NamedTuple):
    """One record of a log. The timestamp distinguishes it from one of a topic that was deleted and created again."""

    partition: Partition
    offset: int
    timestamp: float
    epoch: int  # an active message of an earlier one is not joined: another replica may have finished it


@dataclass(slots=True, eq=False)
class ActiveMessage:
    """A message that is being carried, and every reading of it that waits for its end."""

    records: list[Record]
    turn: KeyTurn
    task: asyncio.Task[None] = field(init=False)

    @property
    def delivery(self) -> Delivery:
        return self.records[0].delivery


class Carries(Protocol):
    """Carries one message to its end; see `Pipeline`."""

    async def carry(self, delivery: Delivery, turn: KeyTurn) -> None:
        """Return once all that the message asks for is durable. `Lost` escapes where it is another replica's."""
        ...


class Calls(Protocol):
    """The provider, as far as it limits what is started."""

    @property
    def has_capacity(self) -> Callable[[str], bool]:
        """Whether another message of a lane may begin."""
        ...

    @property
    def wait_for_capacity(self) -> Callable[[Collection[str]], Awaitable[None]]:
        """Returns when another message of one of these lanes may begin."""
        ...

    @property
    def give_up_waiting(self) -> Callable[[], None]:
        """Cancels requests that wait for a provider that is away, or for a share of the quota."""
        ...


class Service:
    """Carries the records of a source through a pipeline."""

    def __init__(
        self,
        source: Source,
        pipeline: Carries,
        in_flight: InFlight,
        calls: Calls,
        limits: ShutdownSettings,
        lanes: Lanes,
        *,
        ordering: Ordering = "key",
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._in_flight = in_flight
        self._calls = calls
        self._limits = limits
        self._lane_by_topic = lanes.by_topic
        self._waiting: Waiting[Record] = Waiting(lanes.weights)
        self._lanes = len(lanes.weights)
        self._arrived = asyncio.Event()
        self._active: dict[RecordName, ActiveMessage] = {}
        self._order = KeyOrder(ordering)
        self._draining = 0  # a stop and a rebalance may both be under way
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """
        Carry records until `stop` is set, then finish what is active.

        Raises:
            DrainTimeout: what was active did not finish within `drain_timeout`.
            Exception: what reading or publishing could not recover from, once what was active was given its time.
        """
        stopping = asyncio.create_task(stop.wait(), name="stop signal")
        reader = asyncio.create_task(self._read(), name="reader")
        starter = asyncio.create_task(self._start(), name="starter")
        workers: list[asyncio.Future[Any]] = [reader, starter, self._failed]
        await asyncio.wait({stopping, *workers}, return_when=asyncio.FIRST_COMPLETED)
        background.stops()
        stopping.cancel()
        starter.cancel()
        self._source.stop_reading()
        self._draining += 1
        self._drop(lambda _: True)
        self._calls.give_up_waiting()
        log.info("service.draining", active=len(self._active), timeout=self._limits.drain_timeout)
        tasks = [active.task for active in self._active.values()]
        await asyncio.wait([starter, *tasks], timeout=self._limits.drain_timeout)
        late = [task for task in tasks if not task.done()]
        for task in (reader, *late):  # while a rebalance lasts, aiokafka's `getmany` does not end by itself
            task.cancel()
        await asyncio.wait([reader, *late])
        for worker in workers:
            if worker.done() and not worker.cancelled() and (error := worker.exception()):
                raise error
        if late:
            raise DrainTimeout(f"{len(late)} messages in flight did not end within {self._limits.drain_timeout} s")

    async def drain(self, revoked: Collection[Partition]) -> None:
        """Drop what waits of some partitions, and wait until nothing is in flight, at most `drain_on_revoke`."""
        self._drop(lambda record: record.delivery.topic_partition in revoked)
        self._draining += 1
        drained = asyncio.create_task(self._in_flight.drained(), name="drained")
        await asyncio.wait([drained], timeout=self._limits.drain_on_revoke)
        drained.cancel()
        self._draining -= 1

    def fail(self, error: Exception) -> None:
        """Stop as for a signal; `run` raises this error then."""
        if not self._failed.done():
            self._failed.set_exception(error)

    def offsets(self) -> Sequence[Mapping[str, Any]]:
        """
        How far each partition is read and committed, and its oldest open records: since when, and in which state.

        Moments are unix seconds. What is open and not yet started is `waiting`.
        """
        states = {(name.partition, name.offset): active.turn.state for name, active in self._active.items()}
        return [
            {
                "topic": reading.partition.topic,
                "partition": reading.partition.number,
                "committed": reading.committed,
                "journal_from": reading.journal_from,
                "taken_over": reading.taken_over,
                "open": reading.open,
                "oldest": [
                    {"offset": offset, "since": since, "state": states.get((reading.partition, offset), "waiting")}
                    for offset, since in reading.oldest
                ],
            }
            for reading in self._source.readings(MOST_OPEN_SHOWN)
        ]

    def open_deliveries(self) -> Iterator[Delivery]:
        """The messages that have no outcome, as they are now: what is begun, and what waits."""
        active = (each.delivery for each in self._active.values())
        return chain(active, (record.delivery for record in self._waiting))

    def oldest_upload(self, topic: str) -> float | None:
        """From when on retention counts for the messages of a topic that have no outcome; None where all have one."""
        return min((each.kept_from for each in self.open_deliveries() if each.topic == topic), default=None)

    @property
    def is_draining(self) -> bool:
        """Whether a stop or a rebalance waits for what is in flight: nothing more is to be begun."""
        return self._draining > 0

    async def _read(self) -> None:
        async for batch in self._source.batches():
            self._take(batch)
            self._arrived.set()

    def _take(self, batch: Sequence[Record]) -> None:
        """Let records wait, but for those that were started before a rebalance and are read again after it."""
        for record in batch:
            if (active := self._active.get(_name(record.delivery))) is not None:
                active.records.append(record)
                metrics.REDELIVERED_JOINED.inc()
            else:
                self._waiting.add(self._lane_by_topic[record.delivery.topic], [record])

    async def _start(self) -> None:
        """Begin records one by one, whenever another one of their lane may begin."""
        while True:
            if (record := self._waiting.next(self._calls.has_capacity)) is None:
                await self._something_to_begin()
                continue
            self._start_message(record)
            await asyncio.sleep(0)  # the record stands in line before the next one asks for room

    async def _something_to_begin(self) -> None:
        """Return when a record has arrived, or a lane that has one waiting has room."""
        lanes = self._waiting.lanes
        if len(lanes) == self._lanes:  # on the path of every record: none that arrives could start before these
            await self._calls.wait_for_capacity(lanes)
            return
        self._arrived.clear()
        wakers: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._arrived.wait())]
        if lanes:
            wakers.append(asyncio.ensure_future(self._calls.wait_for_capacity(lanes)))
        try:
            await asyncio.wait(wakers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waker in wakers:
                waker.cancel()

    def _start_message(self, record: Record) -> None:
        name = _name(record.delivery)
        active = ActiveMessage([record], self._order.take(record.delivery, self._source.settled_owner))
        self._active[name] = active
        active.task = asyncio.create_task(self._carry(name, active))

    async def _carry(self, name: RecordName, active: ActiveMessage) -> None:
        """Carry a message to its end, and settle every reading of it."""
        try:
            await self._pipeline.carry(active.delivery, active.turn)
        except Lost:
            active.turn.leave()  # those behind it find out for themselves
            self._end(name, settled=False)
        except asyncio.CancelledError:
            active.turn.give_up()
            self._end(name, settled=False)
            raise
        except Exception as error:  # noqa: BLE001 — passed on: it stops the service
            active.turn.give_up()
            self._end(name, settled=False)
            log.error(  # noqa: TRY400 — `run` raises it, traceback and all
                "message.left_open", topic=name.partition.topic, partition=name.partition.number, offset=name.offset,
                error=type(error).__name__,
            )  # fmt: skip
            self.fail(error)
        else:
            active.turn.leave()
            self._end(name, settled=True)

    def _end(self, name: RecordName, *, settled: bool) -> None:
        for record in self._active.pop(name).records:
            record.settle() if settled else record.release()

    def _drop(self, is_dropped: Callable[[Record], bool]) -> None:
        for record in self._waiting.drop(is_dropped):
            record.release()


def _name(delivery: Delivery) -> RecordName:
    return RecordName(delivery.topic_partition, delivery.offset, delivery.timestamp, delivery.epoch)
