"""
The metadata of a commit: which process committed, and since when the journal must be read. Values only.

    mc1 1763632801.123 9f3a6b0c
    │   │              └── the process that committed
    │   └── no output of a record from the committed offset on is older (unix seconds, by that process's clock)
    └── magic and version; mc2, with a signature behind the process, where a key signs: see `commits.py`

Others write commits too: an operator who resets a group, another tool. What is not ours says nothing about the journal.
"""

import re
from dataclasses import dataclass
from math import floor

_SAID = r"(\d{1,12}\.\d{3}) ([0-9a-f]{8})"
_PATTERN = re.compile(rf"mc1 {_SAID}|mc2 {_SAID} [A-Za-z0-9._-]{{1,32}} [0-9a-f]{{64}}")


@dataclass(frozen=True, slots=True)
class CommitMetadata:
    """What a commit of ours says of the journal."""

    journal_from: float  # unix seconds
    owner: str  # 8 hex digits, drawn by each process as it starts

    def __str__(self) -> str:
        return f"mc1 {floor(self.journal_from * 1000) / 1000:.3f} {self.owner}"  # never later than it says

    @classmethod
    def read(cls, metadata: str) -> "CommitMetadata | None":
        """What a commit says, or None if it does not look like ours. Its signature is not looked at."""
        found = _PATTERN.fullmatch(metadata)
        return cls(float(found[1] or found[3]), found[2] or found[4]) if found else None


BEGINNING = 0.0


def must_be_read(commit: CommitMetadata, owner: str | None) -> float | None:
    """
    Since when the journal of a partition must be read before its records may be paid for; None where nothing must.

    After a commit of this same process no other has begun anything, and it knows what it has published itself; `owner`
    is None if it no longer knows that.
    """
    return None if commit.owner == owner else commit.journal_from
