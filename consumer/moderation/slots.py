"""How many calls may be in flight."""

import asyncio

from consumer.moderation import Moderator, Question
from consumer.observability import metrics
from consumer.records import Answer


class Slots:
    """A number of slots, taken in the order they are asked for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._semaphore = asyncio.Semaphore(size)
        self._held = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def held(self) -> int:
        """Slots taken or waited for."""
        return self._held

    async def room(self) -> None:
        """Wait until a slot is free and nobody waits for it."""
        await self._room.wait()

    async def __aenter__(self) -> None:
        self._held += 1
        metrics.CALLS_IN_FLIGHT.set(self._held)
        if self._held >= self.size:
            self._room.clear()
        try:
            await self._semaphore.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()
        self._leave()

    def _leave(self) -> None:
        self._held -= 1
        metrics.CALLS_IN_FLIGHT.set(self._held)
        if self._held < self.size:
            self._room.set()


class Limited:
    """A `Moderator` that holds a slot for each call, waiting for the pace included."""

    def __init__(self, inner: Moderator, slots: Slots) -> None:
        self._inner = inner
        self._slots = slots

    async def ask(self, question: Question) -> Answer:
        async with self._slots:
            return await self._inner.ask(question)
