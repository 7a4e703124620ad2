"""What goes on behind the answers of the 1.0 API: tasks in progress, and callbacks."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from consumer.emulator.scan.callbacks import Callbacks
from consumer.emulator.scan.tasks import OpenTask, OpenTasks


@dataclass(slots=True)
class Later:
    """Runs tasks until they are done, or the emulator ends. `clock` is in unix seconds."""

    tasks: OpenTasks
    callbacks: Callbacks
    clock: Callable[[], float] = time.time
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, task_id: str, url: str, work: Coroutine[None, None, None]) -> None:
        """Open a task, and do its work."""
        self.tasks.add(OpenTask(task_id, url, self.clock()))
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def end(self) -> None:
        """Give up what is in progress. Raises what went wrong in it and is no cancellation."""
        running = tuple(self._running)
        for each in running:
            each.cancel()
        for ended in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
