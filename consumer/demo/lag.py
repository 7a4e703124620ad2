"""How long the event loop was held up, by this process or by a machine that is busy with others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

_TICK = 0.005  # seconds


@dataclass(slots=True)
class Lag:
    """The longest that something which was due had to wait, in seconds."""

    longest: float = 0.0


@contextlib.asynccontextmanager
async def measuring_lag() -> AsyncIterator[Lag]:
    """Measure until the context ends."""
    lag = Lag()
    ticking = asyncio.create_task(_tick(lag), name="lag")
    try:
        yield lag
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])


async def _tick(lag: Lag) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK
        await asyncio.sleep(_TICK)
        lag.longest = max(lag.longest, loop.time() - due)
