"""
What an image of which it is known what it is should be answered as. Pure.
"""

from enum import StrEnum
from typing import NamedTuple

from consumer.config.safety_nets import CanaryImage
from consumer.locations import ByObject, ByUrl
from consumer.policy.decide import findings_of
from consumer.policy.ready import RANK
from consumer.records import ModerationResult

UNKNOWN = "unknown"


class Result(StrEnum):
    """What came of asking about a canary."""

    AS_EXPECTED = "as_expected"
    MISSED = "missed"  # known to be bad, and let through
    FLAGGED = "flagged"  # known to be good, and not let through
    UNANSWERED = "unanswered"

    @property
    def is_wrong(self) -> bool:
        """Whether it was answered, and not as it should be."""
        return self in (Result.MISSED, Result.FLAGGED)


class Told(NamedTuple):
    """What came of it, and the level that was answered, or why nothing was."""

    result: Result
    level: str = ""
    code: str = ""


def told_by(answer: ModerationResult, canary: CanaryImage) -> Told:
    """
    Compare an answer with what is expected.

    Vendor: high is to be acted on, medium to be looked at, low to be treated as none. A level that is not known is none
    of those that are let through.
    """
    level = level_of(answer)
    is_flagged = RANK.get(level, len(RANK)) >= RANK["medium"]
    if is_flagged is (canary.expect == "flagged"):
        return Told(Result.AS_EXPECTED, level)
    return Told(Result.FLAGGED if is_flagged else Result.MISSED, level)


def level_of(answer: ModerationResult) -> str:
    """The highest level of what was found; one that is not known is above all."""
    levels = [finding.level if finding.level in RANK else UNKNOWN for finding in findings_of(answer)]
    return max(levels, key=lambda level: RANK.get(level, len(RANK)), default=UNKNOWN)


def location_of(canary: CanaryImage) -> ByUrl | ByObject | None:
    """Where the provider finds a canary itself; None where it is a file of this machine's."""
    if canary.url is not None:
        return ByUrl(canary.url)
    if (named := canary.object) is not None:
        return ByObject(named.bucket, named.key, named.region)
    return None
