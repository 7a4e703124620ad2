"""Waits with nothing in flight, which a stop interrupts instead of waiting for their end."""

import asyncio
from contextlib import AbstractContextManager
from math import inf
from typing import Any

from consumer.clock import Clock


class InterruptibleWaits:
    """The tasks that wait for what may take long. Once this is closed, no task waits any more."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[object]] = set()
        self._closed = False

    @property
    def any_waiting(self) -> bool:
        """Whether a task waits."""
        return bool(self._waiting)

    def interruptible(self) -> AbstractContextManager[None]:
        """Count the current task as waiting; it is cancelled when this is closed."""
        return _Interruptible(self)

    def begin(self) -> asyncio.Task[object]:
        """See `interruptible`."""
        if self._closed:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        return task

    def end(self, task: asyncio.Task[object]) -> None:
        """See `interruptible`."""
        self._waiting.discard(task)

    def close(self) -> None:
        """Cancel every task that waits, and every one that tries to."""
        self._closed = True
        for task in self._waiting:
            task.cancel()


class _Interruptible(AbstractContextManager[None]):
    """A class and no generator: three of them are entered for every call."""

    __slots__ = ("_task", "_waits")

    def __init__(self, waits: InterruptibleWaits) -> None:
        self._waits = waits

    def __enter__(self) -> None:
        self._task = self._waits.begin()

    def __exit__(self, *_: object) -> None:
        self._waits.end(self._task)


async def change_or_time(change: asyncio.Event, seconds: float, clock: Clock) -> None:
    """Return once an event is set, or after some seconds; infinity waits for the event alone."""
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(change.wait())]
    if seconds != inf:
        waits.append(asyncio.ensure_future(clock.sleep(max(0.0, seconds))))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class Changes:
    """Wakes those that wait for a change. Where nobody waits, a change costs nothing."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next: asyncio.Event | None = None

    def next(self) -> asyncio.Event:
        """The next change from now on sets it: a task that waits for it misses none before it first runs."""
        if self._next is None:
            self._next = asyncio.Event()
        return self._next

    async def wait(self) -> None:
        """Return at the next change."""
        await self.next().wait()

    def notify(self) -> None:
        """Wake all that wait now."""
        if self._next is not None:
            self._next.set()
            self._next = None
