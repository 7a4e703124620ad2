"""How much of images moves in one turn of the event loop, over all of them."""

import asyncio

AT_ONCE = 4
"""Pieces that move at once: of 256 KiB each, which take about 0.3 ms."""


class Turns:
    """Lets a few pieces of images move at once, in the order of coming, so that what else waits for the loop has it."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = asyncio.Semaphore(at_once)

    async def turn(self) -> None:
        """Return once a piece may move."""
        async with self._places:
            await asyncio.sleep(0)
