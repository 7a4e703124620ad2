"""
What a person's decision leads to, and where a machine's verdict contradicts one. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from consumer.records import STRICTNESS, Decision, Delivery, Floor
from consumer.reviews.memory import Remembered
from consumer.reviews.refusals import Refusal
from consumer.reviews.review import Review, VerdictAt

HUMAN = "human"
DECISIONS = {"approve": Decision.PASS, "remove": Decision.BLOCK}
Conflict = Literal["none", "again", "contradicting", "overruling", "superseded"]


@dataclass(frozen=True, slots=True)
class Final:
    """The decision stands in a verdict of its own."""

    decision: Decision
    floor: Floor | None = None  # that a lead overrides


@dataclass(frozen=True, slots=True)
class Escalated:
    """Somebody else is to decide: no verdict changes."""


@dataclass(slots=True)
class Superseded:
    """Which verdicts another one has taken the place of, as far as that was met lately."""

    most: int = 100_000
    _replaced: dict[str, None] = field(default_factory=dict)

    def note(self, verdict: Mapping[str, Any]) -> None:
        """Take in a verdict that may have taken another's place."""
        if not isinstance(replaced := verdict.get("supersedes"), str):
            return
        self._replaced.pop(replaced, None)
        self._replaced[replaced] = None
        if len(self._replaced) > self.most:
            del self._replaced[next(iter(self._replaced))]

    def __contains__(self, verdict_id: str) -> bool:
        return verdict_id in self._replaced


def judge(
    review: Review, verdict: Mapping[str, Any], leads: Collection[str], later: Floor | None = None
) -> Final | Escalated:
    """
    Say what a decision about a verdict leads to; `later` is the floor that a newer verdict sets.

    Raises:
        Undecodable: it cannot be taken.
    """
    if verdict.get("provisional"):
        raise Refusal.PROVISIONAL_VERDICT.at("verdict_id", "is provisional: decide about the final verdict")
    if review.decision == "escalate":
        return Escalated()
    decision, floor = DECISIONS[review.decision], stricter(floor_of(verdict), later)
    if floor is None or STRICTNESS[decision] >= STRICTNESS[floor.decision]:
        return Final(decision)
    if not review.override_pin:
        raise Refusal.BELOW_FLOOR.at("decision", f"the pinned rule asks for {floor.decision.value}")
    if review.reviewer not in leads:
        raise Refusal.NOT_A_LEAD.at("reviewer", "is not under reviews.leads, and override_pin is set")
    return Final(decision, floor)


def contradicted(
    verdict: Mapping[str, Any], at: float, of_content: Remembered | None, of_name: Remembered | None
) -> Remembered | None:
    """
    The person's decision that a machine's verdict, written `at` (unix seconds), contradicts: one that was made before.

    Of a name only a removal holds. No approval goes below a floor, but where a lead overrode that very rule.
    """
    if verdict.get("decided_by") == HUMAN or verdict.get("provisional"):
        return None
    named = of_name if of_name is not None and of_name.decision is Decision.BLOCK else None
    holds = max((each for each in (of_content, named) if each), key=lambda each: each.rank, default=None)
    if holds is None or holds.at > at or holds.decision.value == verdict["decision"]:
        return None
    floor = floor_of(verdict)
    is_below = floor is not None and STRICTNESS[holds.decision] < STRICTNESS[floor.decision]
    return None if is_below and floor is not None and floor.rule != holds.floor else holds


def conflict(review: Review, known: Remembered | None, *, is_superseded: bool) -> Conflict:
    """What else was decided about the same: said, and counted."""
    if known is not None and known.verdict_id == review.verdict_id:
        return "again" if DECISIONS.get(review.decision) is known.decision else "contradicting"
    if is_superseded:
        return "superseded"
    if known is not None and DECISIONS.get(review.decision) is not known.decision:
        return "overruling"
    return "none" if known is None else "again"


def remembered(review: Review, final: Final, delivery: Delivery) -> Remembered:
    """What is remembered of a decision."""
    return Remembered(
        decision=final.decision,
        at=delivery.timestamp,
        place=VerdictAt(delivery.topic, delivery.partition, delivery.offset),
        verdict_id=review.verdict_id,
        reviewer=review.reviewer,
        decided_at=review.decided_at,
        floor=final.floor.rule if final.floor else None,
    )


def floor_of(verdict: Mapping[str, Any]) -> Floor | None:
    """The floor that a verdict carries."""
    said = verdict.get("floor")
    return Floor(said["rule"], Decision(said["decision"])) if said else None


def stricter(one: Floor | None, other: Floor | None) -> Floor | None:
    """Of two floors the higher one; of equals the first."""
    if one is None or other is None:
        return one or other
    return other if STRICTNESS[other.decision] > STRICTNESS[one.decision] else one
