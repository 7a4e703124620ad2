"""Hold images that met an unexpected error, and let nothing new begin while every image does. See `unexpected.py`."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import structlog

from consumer.clock import Clock
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import Lost
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of
from consumer.records import Delivery, Partition, SourceId
from consumer.unexpected import UnexpectedErrors

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Holding:
    """Acts on what `UnexpectedErrors` says."""

    errors: UnexpectedErrors
    clock: Clock
    waits: InterruptibleWaits
    """Who is held has nothing in flight: a stop cancels it."""
    owns: Callable[[Partition, int], bool] = lambda partition, epoch: True
    """Whether a partition is this replica's, in that ownership epoch still."""
    aside: Callable[[Delivery], AbstractContextManager[object]] = nullcontext
    """What is entered for as long as a record is held."""

    async def is_own(self, image: SourceId, delivery: Delivery, error: Exception, *, may_end: bool = True) -> bool:
        """
        Note an image's error, and say whether it is the image's own. Where not, return when it may be tried again.

        What may not end is held for as long as it meets errors. `Lost` escapes where its partition went to another
        replica meanwhile.
        """
        delay = self.errors.met(image, type(error).__name__, self.clock.now(), may_end=may_end)
        metrics.UNFORESEEN.inc()
        metrics.INTERNAL_HELD.set(self.errors.held)
        with harmless("log"):
            log.error(
                "submission.unexpected_error", submission=image, topic=delivery.topic, partition=delivery.partition,
                offset=delivery.offset, error=type(error).__name__, frames=frames_of(error), retry_in=delay,
            )  # fmt: skip
        if delay is None:
            return True
        with self.waits.interruptible(), self.aside(delivery):
            await self.clock.sleep(delay)
            while (wait := self.errors.wait(self.clock.now())) > 0:
                await self.clock.sleep(wait)
        if not self.owns(delivery.topic_partition, delivery.epoch):
            raise Lost(f"{delivery.topic}/{delivery.partition}")
        self.tried()
        return False

    def tried(self) -> None:
        """Note that an image is tried now."""
        self.errors.tried(self.clock.now())

    def judged(self, image: SourceId) -> None:
        """Note that an image was judged."""
        self.errors.judged(image)

    def forget(self, image: SourceId) -> None:
        """Hold an image no longer."""
        if not self.errors.held:
            return  # on the path of every image
        self.errors.forget(image)
        metrics.INTERNAL_HELD.set(self.errors.held)

    def has_capacity(self, inner: Callable[[str], bool]) -> Callable[[str], bool]:
        """Whether another call could be made, and another image may be tried."""
        return lambda lane: self.errors.wait(self.clock.now()) <= 0 and inner(lane)

    def wait_for_capacity(
        self, inner: Callable[[Collection[str]], Awaitable[None]]
    ) -> Callable[[Collection[str]], Awaitable[None]]:
        """Returns when another call could be made, and another image may be tried."""

        async def wait_for_capacity(lanes: Collection[str]) -> None:
            while True:
                while (wait := self.errors.wait(self.clock.now())) > 0:
                    await self.clock.sleep(wait)
                await inner(lanes)
                if self.errors.wait(self.clock.now()) <= 0:
                    return

        return wait_for_capacity

    def reasons_not_ready(self) -> list[str]:
        """See `UnexpectedErrors`."""
        return self.errors.reasons_not_ready()

    def degraded(self) -> list[str]:
        """See `UnexpectedErrors`."""
        return self.errors.degraded(self.clock.now())
