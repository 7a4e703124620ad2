"""
What is in flight: from a call's first byte to the acknowledged verdict. To drop it is to pay for it again.

A rebalance waits until nothing is in flight; what waits for its call has cost nothing, and waits on.
"""

import asyncio

from consumer.clock import Clock
from consumer.observability import metrics

HAND_OVER = 0.05  # seconds in which a verdict that another one held up is on its way, if there is one


class InFlight:
    """Counts what is in flight."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._landed = asyncio.Event()
        self._landed.set()
        metrics.IN_FLIGHT.set_function(lambda: self._count)

    def __enter__(self) -> None:
        self._count += 1
        self._landed.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self._landed.set()

    async def drained(self) -> None:
        """Return once nothing is in flight, for long enough that one message of a key hands over to the next."""
        while True:
            await self._landed.wait()
            await self._clock.sleep(HAND_OVER)
            if self._landed.is_set():
                return
