"""Time, so that tests can own it."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds as floats: `now` only ever grows, `wall` is unix time."""

    def now(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock and the event loop's sleep."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
