"""
What `/readyz` says, for the log: a line when a state begins and when it ends, and a reminder while it lasts.

The log then shows when the replica was not ready and why, even if `/readyz` was not requested at that time.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

import structlog

from consumer import background
from consumer.clock import Clock
from consumer.observability.harmless import harmless

log = structlog.get_logger()

LOOK_INTERVAL = 1.0  # seconds
AGAIN = 10.0  # seconds until other reasons for the same state are logged
REMINDER = 60.0  # seconds until the same ones are
_COUNTS = re.compile(r"[0-9]+")


@dataclass(slots=True)
class State:
    """Something that reasons are asked for; it lasts while there is any. `began` and `ended` name the log events."""

    began: str
    ended: str
    reasons: Callable[[], Sequence[str]]
    reminder: float = REMINDER  # seconds until the same reasons are logged again
    since: float = inf  # by the clock's `now`; for ever: it does not last
    said_at: float = -inf
    said: tuple[str, ...] = ()

    def look(self, now: float) -> None:
        """Log what has changed."""
        reasons = tuple(self.reasons())
        if not reasons:
            if self.since <= now:
                log.info(self.ended, seconds=round(now - self.since, 3))
            self.since, self.said_at, self.said = inf, -inf, ()
            return
        self.since = min(self.since, now)
        kinds = tuple(_COUNTS.sub("", reason) for reason in reasons)  # without how long it lasts, and how many it is
        if now - self.said_at >= (self.reminder if kinds == self.said else AGAIN):
            self.said_at, self.said = now, kinds
            log.warning(self.began, reasons=list(reasons), seconds=round(now - self.since, 3))


@contextlib.asynccontextmanager
async def told(states: Collection[State], clock: Clock) -> AsyncIterator[None]:
    """Look at them once a second until the context ends."""

    async def look_on() -> None:
        while True:
            for state in states:
                with harmless("log"):
                    state.look(clock.now())
            await clock.sleep(LOOK_INTERVAL)

    async with background.running(look_on(), "changes for the log"):
        yield
