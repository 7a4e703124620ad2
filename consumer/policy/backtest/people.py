"""
What people decided about the same images, `moderation.review.v1`: who was right more often, and how long a look takes.
"""

from array import array
from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import Any

from consumer.errors import ConsumerError
from consumer.policy.backtest.cells import CELLS
from consumer.records import Decision

SCHEMA = "moderation.review.v1"
MOST_DECISIONS = 1_000_000
"""People's decisions that are held in memory, some 150 bytes each."""
LONGEST_LOOK = 3_600.0
"""Seconds: who takes longer did something else meanwhile."""
_REMOVED = {"remove": True, "approve": False, "escalate": None}
_MOST_TIMES = 100_000


class TooManyDecisions(ConsumerError):
    """More than fit into the memory that is said."""


class People:
    """People's decisions by the verdict that each is about: the latest one counts."""

    def __init__(self, most: int = MOST_DECISIONS) -> None:
        self._most = most
        self._decided: dict[int, tuple[str, bool | None]] = {}
        self._looked = array("d")  # seconds
        self.read = 0
        # By what they said (False: approved), and both policies' decisions.
        self.matched = {removed: [0] * CELLS for removed in (False, True)}
        self.escalated = 0
        self.of_blocked = 0  # of the matched ones: those whose image had been blocked

    def add(self, decision: Mapping[str, Any]) -> None:
        """
        Take a decision.

        Raises:
            TooManyDecisions: there is no room for it.
            KeyError, TypeError, ValueError, AttributeError: it is none of `moderation.review.v1`.
        """
        if decision["schema"] != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        removed, at = _REMOVED[decision["decision"]], decision["decided_at"]
        mark = mark_of(decision["verdict_id"])
        earlier = self._decided.get(mark)
        if earlier is None and len(self._decided) >= self._most:
            raise TooManyDecisions(f"more than {self._most:,} decisions of people: choose a shorter time with --since")
        if earlier is None or earlier[0] <= at:
            self._decided[mark] = at, removed
        self.read += 1
        claimed = decision.get("claimed_at")
        if claimed is not None and len(self._looked) < _MOST_TIMES:
            seconds = datetime.fromisoformat(at).timestamp() - datetime.fromisoformat(claimed).timestamp()
            if 0 <= seconds <= LONGEST_LOOK:
                self._looked.append(seconds)

    def match(self, verdict_id: str, cell: int, published: str) -> None:
        """Compare with what somebody decided about a verdict, where somebody did. Each decision is compared once."""
        found = self._decided.pop(mark_of(verdict_id), None)
        if found is None:
            return
        removed = found[1]
        if removed is None:
            self.escalated += 1
            return
        self.matched[removed][cell] += 1
        self.of_blocked += published == Decision.BLOCK

    @property
    def are_any(self) -> bool:
        """Whether there is a decision that was not compared yet."""
        return bool(self._decided)

    @property
    def not_matched(self) -> int:
        """Decisions about verdicts that were not met."""
        return len(self._decided)

    @property
    def seconds_per_review(self) -> float | None:
        """The median; None where nothing says when somebody began."""
        return median(self._looked) if self._looked else None


def mark_of(verdict_id: str) -> int:
    """The first 64 bits of a verdict's id, or of a longer name of one."""
    return int(verdict_id[:16], 16)
