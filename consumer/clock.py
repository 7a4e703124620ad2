"""Time, so that tests can own it; and waiting that ends."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from math import ceil
from typing import Any, Protocol


class Clock(Protocol):
    """Seconds as floats: `now` only ever grows, `wall` is unix time."""

    def now(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


_COUNTS_SUSPENSION = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""
Linux' monotonic clock stands still while the machine is suspended. By it a lease would last for as long as that took,
while the group has long given the partitions, and their part of the quota, to another.
"""


TICKS = 1_000  # a second: of the event loop's timers


class SystemClock:
    """The machine's clock, which goes on while the machine is suspended, and the event loop's sleep."""

    def now(self) -> float:
        return time.clock_gettime(_COUNTS_SUSPENSION)

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        # uvloop's timers count whole milliseconds and begin with the one that has begun: who waits for a moment would
        # wake before it, and look at the clock again and again.
        await asyncio.sleep((ceil(seconds * TICKS) + 1) / TICKS if seconds > 0 else 0)


def utc(moment: float) -> str:
    """A moment, in unix seconds, as people read it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def ends_within(seconds: float, work: Coroutine[Any, Any, object]) -> bool:
    """
    Give foreign work its time, and cancel it after that without waiting for it; say whether it ended.

    What it raises is raised. Its own cancellation, which aiokafka's `stop` can come to in an outage, counts as an end.
    """
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()
    elif not task.cancelled() and (error := task.exception()):
        raise error
    return bool(done)
