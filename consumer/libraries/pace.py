"""When the next call of an operation may leave. Pure: the time is given, in seconds of any one clock."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

WINDOW = 1.05
"""Seconds: a call that was slow to arrive must not meet the one that left a second after it."""


@dataclass(slots=True)
class OperationPace:
    """Vendor: 10 calls a second for each operation."""

    per_second: int = 10
    _left: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def next(self, operation: str, now: float) -> float:
        """Note one more call, and return the seconds that it has to wait."""
        left = self._left[operation]
        at = max(now, left[0] + WINDOW) if len(left) == self.per_second else now
        if len(left) == self.per_second:
            left.popleft()
        left.append(at)
        return at - now
