"""
Whether a loop still completes iterations, for `/livez`. It knows nothing of Kafka, the provider or what the loop does.

    rest ──► beat ──► beat ──(a minute without one)──► stalled
      ▲               │
      └───────────────┘   the loop waits for another system, however long that takes

A restart repairs a loop that has died or hangs in this process. It repairs no broker and no provider, and what is in
flight is paid for again; so a loop that waits for them rests.
"""

import contextlib
from collections.abc import Iterator

from consumer.clock import Clock

PATIENCE = 60.0  # seconds


class Heartbeat:
    """One loop's. It rests until its first beat."""

    def __init__(self, loop: str, clock: Clock, interval: float = 0.0) -> None:
        """`loop` is its name for people; `interval` the seconds that it sleeps between two turns."""
        self._loop = loop
        self._clock = clock
        self._patience = PATIENCE + interval
        self._since: float | None = None

    def beat(self) -> None:
        """Note that the loop has come round, or has back what it waited for."""
        self._since = self._clock.now()

    def rest(self) -> None:
        """Note that it need not come round before the next beat."""
        self._since = None

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Rest while something is waited for."""
        self.rest()
        try:
            yield
        finally:
            self.beat()

    def complaints(self) -> list[str]:
        """Say so when it has stalled."""
        if self._since is None or (seconds := self._clock.now() - self._since) < self._patience:
            return []
        return [f"{self._loop} has not completed an iteration for {seconds:.0f} s"]
