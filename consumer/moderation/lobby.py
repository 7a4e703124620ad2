"""Where questions wait with nothing in flight, so that a stop need not wait for them."""

import asyncio
import contextlib
from collections.abc import Iterator


class Lobby:
    """Those who wait for a provider that may not come back soon. Once it is closed nobody waits any more."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[object]] = set()
        self._closed = False

    @property
    def has_anybody(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the current task as waiting; when the lobby closes, it is cancelled."""
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
        """Cancel everybody who waits, and everybody who will."""
        self._closed = True
        for task in self._waiting:
            task.cancel()
