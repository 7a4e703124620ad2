"""
What a kill left behind: pure. Uploads, calls and outcomes against each other.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple


class Casualties(NamedTuple):
    """Counts of uploads, each with one image, after one of two processes was killed."""

    lost: int
    """Without an outcome, however long one waits."""

    published_twice: int
    """Outcomes beyond the first."""

    billed_twice: int
    """Calls answered 200 beyond the first."""


def casualties(uploads: Collection[bytes], outcomes: Iterable[bytes], billed: Iterable[str]) -> Casualties:
    """
    Return what was lost or done twice.

    `uploads` and `outcomes` are keys of records, no two uploads with the same; `billed` has the image's URL of each
    call that was answered 200.
    """
    published, calls = Counter(outcomes), Counter(billed)
    return Casualties(
        lost=len(set(uploads) - published.keys()),
        published_twice=published.total() - len(published),
        billed_twice=calls.total() - len(calls),
    )
