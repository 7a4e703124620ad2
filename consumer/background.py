"""
Loops that last as long as their service, each with an owner that hears of its end.

A loop that ends before it is cancelled has met a bug, and what it did is done no longer: `/readyz` says so, and the
service stops as it does where its reader ends. Whoever runs it starts it again.

Whose a loop is, its context says: it is that of the service whose `own` ran there last before the loop was started.
Where none did, as in a command, the event loop's handler of exceptions hears of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import structlog

from consumer.errors import ConsumerError

log = structlog.get_logger()

Work = Coroutine[Any, Any, None]


class LoopEnded(ConsumerError):
    """A loop that was to last as long as its service has ended."""


class Loops:
    """Those of one service."""

    def __init__(self) -> None:
        self._ended: dict[str, LoopEnded] = {}
        self._stop: Callable[[Exception], None] | None = None
        self.is_stopping = False
        """Whether the service stops: that cancels what waits, in its loops too."""

    def stop_by(self, stop: Callable[[Exception], None]) -> None:
        """Have `stop` called with the error of each loop that ends, and of those that have ended already."""
        self._stop = stop
        for ended in self._ended.values():
            stop(ended)

    def note(self, name: str, error: BaseException | None) -> None:
        """Note that a loop has ended: by an error, or by itself. One that a stop has cancelled has met no bug."""
        if self.is_stopping and isinstance(error, asyncio.CancelledError):
            return
        word = type(error).__name__ if error else "it returned"
        ended = self._ended[name] = LoopEnded(f"{name}: {word}")
        ended.__cause__ = error
        if self._stop is not None:
            self._stop(ended)
        log.critical("loop.ended", loop=name, exc_info=error)

    def reasons_not_ready(self) -> list[str]:
        """Say which have ended."""
        return [
            f"internal: a loop has ended ({ended}): the service stops, and must be started again"
            for ended in self._ended.values()
        ]


_current: ContextVar[Loops | None] = ContextVar("loops", default=None)


def own(loops: Loops) -> None:
    """Let the loops that this task starts from now on, or tasks that it starts, be those of one service."""
    _current.set(loops)


def stops() -> None:
    """Say that the service whose loops are this task's stops from now on."""
    if (loops := _current.get()) is not None:
        loops.is_stopping = True


def started(work: Work, name: str) -> asyncio.Task[None]:
    """Start what may end by itself, or be cancelled, but not by an error. Its owner waits for it."""
    task = asyncio.create_task(work, name=name)

    def look(ended: asyncio.Task[None]) -> None:
        if not ended.cancelled() and (error := ended.exception()):
            _note(ended, error)

    task.add_done_callback(look)
    return task


@contextlib.asynccontextmanager
async def running(work: Work, name: str, patience: float | None = None) -> AsyncIterator[None]:
    """Run a loop until the context ends, and wait for its end then: for `patience` seconds where that is given."""
    task, is_closing = asyncio.create_task(work, name=name), False

    def look(ended: asyncio.Task[None]) -> None:
        if not is_closing:
            _note(ended, asyncio.CancelledError() if ended.cancelled() else ended.exception())

    task.add_done_callback(look)
    try:
        yield
    finally:
        is_closing = True
        task.cancel()
        await asyncio.wait([task], timeout=patience)


def _note(task: asyncio.Task[None], error: BaseException | None) -> None:
    if (loops := _current.get()) is not None:
        loops.note(task.get_name(), error)
        return
    context = {"message": f"the loop of {task.get_name()} has ended", "task": task}
    asyncio.get_running_loop().call_exception_handler(context | ({"exception": error} if error else {}))
