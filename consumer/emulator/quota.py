"""How many calls a second the account may make. Pure: arrivals are given, in order, in seconds of any one clock."""

from collections import deque
from dataclasses import dataclass, field

WINDOW = 1.0


@dataclass(slots=True)
class SlidingQuota:
    """
    Accepts at most `per_second` calls in any second that ends at an arrival. What it refuses does not count.

    Vendor: 100 calls a second for one account, whichever region they reach.
    """

    per_second: int
    _accepted: deque[float] = field(default_factory=deque)

    def admit(self, arrival: float, places: int = 1) -> bool:
        """Whether the call that arrived now, and takes so many places, is inside the quota: all of it, or nothing."""
        while self._accepted and self._accepted[0] <= arrival - WINDOW:
            self._accepted.popleft()
        if len(self._accepted) + places > self.per_second:
            return False
        self._accepted.extend([arrival] * places)
        return True
