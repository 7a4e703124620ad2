"""
No more is begun than the share can start in time, so that a stop finds nothing that it would have to wait for too long.

An image that is judged by several services is paid for from its first answer on. Were many begun under a small share,
each would have paid for one answer and be waiting for the next when the process receives SIGTERM.
"""

from collections.abc import Callable
from dataclasses import dataclass

from consumer.clock import Clock
from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.quota import Shares

LOOK = 0.05  # seconds after which the share is looked at again
PART = 0.5  # of the time that a stop has, for starting calls; the rest is for what they take


def calls_in_time(share: int, drain_timeout: float) -> int:
    """How many calls a share (calls a second) can start before a stop would be out of patience; one at the least."""
    return max(1, int(share * drain_timeout * PART))


@dataclass(frozen=True, slots=True)
class Startable:
    """Compares the calls that what is begun still needs with what the share can start in time."""

    shares: Shares
    slots: ConcurrencyLimit
    calls: Callable[[], int]
    """That an image may need: one for each service of the policy in force, and for each picture that it may have."""
    drain_timeout: float  # seconds
    clock: Clock

    def has_capacity(self) -> bool:
        """Whether another image could be begun. Without any share nothing is paid for, and nothing is to finish."""
        share, unfinished = self.shares.share(self.clock.now()).total, self.slots.unfinished
        if not share or not unfinished:
            return True
        calls = self.calls()
        in_time = calls_in_time(share, self.drain_timeout) - calls
        if len(unfinished) * calls <= in_time:
            return True
        return sum(image.calls_left(calls) for image in unfinished) <= in_time

    async def wait_for_capacity(self) -> None:
        """Return when another image could be begun."""
        while not self.has_capacity():
            await self.clock.sleep(LOOK)
