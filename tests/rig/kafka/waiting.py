"""
Waiting for something to hold, with a deadline.
"""

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE = 15.0  # seconds


async def until(condition: Callable[[], bool | Awaitable[bool]], timeout: float = DEADLINE) -> None:
    """Return as soon as the condition holds. Raises `TimeoutError`."""
    async with asyncio.timeout(timeout):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.02)
