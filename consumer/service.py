"""
Many messages at once: begin them, keep the order of each key, drain on revoke and at the end.

    source ──► waiting ──(a call slot is free)──► begun: one task a message ──► settled

A message that waits has cost nothing, so it is dropped when its partition goes or the service stops; one that has begun
is finished. Messages begin in the order they were read: what is finished at a stop is all that was begun, and nothing
behind it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple

import structlog

from consumer.config import ShutdownSettings
from consumer.errors import ConsumerError
from consumer.intake import Record, Source
from consumer.pipeline import Pipeline
from consumer.records import Delivery

log = structlog.get_logger()


class DrainTimeout(ConsumerError):
    """Work in flight did not end in time; its offsets are uncommitted."""


class Place(NamedTuple):
    """A partition of a topic, as Kafka's clients name it."""

    topic: str
    partition: int


class Service:
    """Carries the records of a source through a pipeline."""

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        room: Callable[[], Awaitable[None]],
        give_up_waiting: Callable[[], None],
        limits: ShutdownSettings,
    ) -> None:
        """
        `room` returns when another call could be made; `give_up_waiting` cancels who waits for a provider that is away.
        """
        self._source = source
        self._pipeline = pipeline
        self._room = room
        self._give_up_waiting = give_up_waiting
        self._limits = limits
        self._waiting: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._begun: dict[asyncio.Task[None], Place] = {}
        self._turns = Turns()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, stop: asyncio.Event) -> None:
        """
        Carry records until `stop` is set, then finish what has begun.

        Raises:
            DrainTimeout: what had begun did not finish within `drain_timeout`.
            Exception: what reading or publishing could not recover from, once what had begun was given its time.
        """
        stopping = asyncio.create_task(stop.wait(), name="stop signal")
        reader = asyncio.create_task(self._read(), name="reader")
        starter = asyncio.create_task(self._start(), name="starter")
        workers: list[asyncio.Future[Any]] = [reader, starter, self._failed]
        await asyncio.wait({stopping, *workers}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        starter.cancel()
        self._source.stop_reading()
        self._drop(self._waiting)
        self._give_up_waiting()
        log.info("service.draining", begun=len(self._begun), timeout=self._limits.drain_timeout)
        await asyncio.wait([reader, starter, *self._begun], timeout=self._limits.drain_timeout)
        late = [task for task in (reader, *self._begun) if not task.done()]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        for worker in workers:
            if worker.done() and not worker.cancelled() and (error := worker.exception()):
                raise error
        if late:
            raise DrainTimeout(f"{len(late)} messages in flight did not end within {self._limits.drain_timeout} s")

    async def drain(self, revoked: Collection[tuple[str, int]]) -> None:
        """Drop what waits of some partitions, and wait for what has begun, at most `drain_on_revoke`."""
        places = {Place(*partition) for partition in revoked}
        self._drop([record for record in self._waiting if _place(record.delivery) in places])
        if begun := [task for task, place in self._begun.items() if place in places]:
            await asyncio.wait(begun, timeout=self._limits.drain_on_revoke)

    async def _read(self) -> None:
        async for batch in self._source.batches():
            self._waiting.extend(batch)
            self._arrived.set()

    async def _start(self) -> None:
        """Begin records one by one, whenever another call could be made."""
        while True:
            await self._room()
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            record = self._waiting.popleft()
            turn = self._turns.take(record.delivery)
            task = asyncio.create_task(self._carry(record, turn))
            self._begun[task] = _place(record.delivery)
            task.add_done_callback(self._begun.pop)
            await asyncio.sleep(0)  # the record takes its slot before the next one asks for room

    async def _carry(self, record: Record, turn: "Turn") -> None:
        try:
            await self._pipeline.carry(record.delivery, turn)
        except asyncio.CancelledError:
            turn.give_up()
            record.release()
            raise
        except Exception as error:  # noqa: BLE001 — passed on: it stops the service
            turn.give_up()
            record.release()
            log.error(  # noqa: TRY400 — `run` raises it, traceback and all
                "message.left_open", topic=record.delivery.topic, partition=record.delivery.partition,
                offset=record.delivery.offset, error=type(error).__name__,
            )  # fmt: skip
            if not self._failed.done():
                self._failed.set_exception(error)
        else:
            turn.leave()
            record.settle()

    def _drop(self, records: Collection[Record]) -> None:
        dropped = set(map(id, records))
        for record in records:
            record.release()
        self._waiting = deque(record for record in self._waiting if id(record) not in dropped)


class Turns:
    """
    The order of each key. Its messages are judged at once and publish one after the other.

    A key's order is that of its partition; messages without a key are free.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, int, bytes], Turn] = {}

    def take(self, delivery: Delivery) -> "Turn":
        """Stand behind every earlier message of the key."""
        if delivery.key is None:
            return Turn(None, lambda turn: None)
        key = (delivery.topic, delivery.partition, delivery.key)
        turn = self._last[key] = Turn(self._last.get(key), lambda turn: self._forget(key, turn))
        return turn

    def _forget(self, key: tuple[str, int, bytes], turn: "Turn") -> None:
        if self._last.get(key) is turn:
            del self._last[key]


class Turn:
    """One message's place in its key's order."""

    def __init__(self, previous: "Turn | None", forget: Callable[["Turn"], None]) -> None:
        self._previous = previous
        self._forget = forget
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self) -> None:
        """Return when the one before has left; if it gave up, this one is cancelled: it must not overtake."""
        if self._previous is not None:
            await asyncio.shield(self._previous._over)
            self._previous = None  # or a busy key would chain all its past

    def leave(self) -> None:
        """All outcomes are durable."""
        self._over.set_result(None)
        self._forget(self)

    def give_up(self) -> None:
        """There will be no outcome now; those behind give up too."""
        self._over.cancel()
        self._forget(self)


def _place(delivery: Delivery) -> Place:
    return Place(delivery.topic, delivery.partition)
