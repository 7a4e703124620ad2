"""Waits with nothing in flight, which a stop interrupts instead of waiting for their end."""

import asyncio
import contextlib
from collections.abc import Iterator


class InterruptibleWaits:
    """The tasks that wait for what may take long. Once this is closed, no task waits any more."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[object]] = set()
        self._closed = False

    @property
    def any_waiting(self) -> bool:
        """Whether a task waits."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Count the current task as waiting; it is cancelled when this is closed."""
        if self._closed:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        finally:
            self._waiting.discard(task)

    def close(self) -> None:
        """Cancel every task that waits, and every one that tries to."""
        self._closed = True
        for task in self._waiting:
            task.cancel()
