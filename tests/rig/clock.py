"""A clock that tests own: it stands still until everybody waits, then jumps to the next moment somebody waits for."""

import asyncio
import heapq
from collections.abc import Awaitable
from itertools import count
from typing import TypeVar

Result = TypeVar("Result")

TURNS_UNTIL_QUIET = 50  # turns of the event loop after which a flow without I/O waits for the clock or for nothing


class ManualClock:
    """Time moves only inside `run`, from sleeper to sleeper in the order they wake."""

    def __init__(self, start: float = 1_000.0) -> None:
        self.time = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        wakes: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._numbers), wakes))
        await wakes

    async def run(self, flow: Awaitable[Result]) -> Result:
        """Let time pass until `flow` ends. A flow that waits for something other than this clock fails."""
        task = asyncio.ensure_future(flow)
        while not await _quiet(task):
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)  # was cancelled
            if not self._sleepers:
                task.cancel()
                raise AssertionError("the flow waits for something that is not the clock")
            self.time, _, wakes = heapq.heappop(self._sleepers)
            wakes.set_result(None)
        return await task


async def _quiet(task: asyncio.Future[Result]) -> bool:
    """Give everybody their turns; return whether `task` ended."""
    for _ in range(TURNS_UNTIL_QUIET):
        if task.done():
            return True
        await asyncio.sleep(0)
    return task.done()
