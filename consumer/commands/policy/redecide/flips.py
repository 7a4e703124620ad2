"""
What becomes of one published verdict under another policy. Pure.

No machine answers a person, or goes below a floor: where the policy would, people are told instead.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from consumer.policy.replay import NotReplayable, Recorded, Replayed, Replaying, recorded
from consumer.records import STRICTNESS, Decision, Floor

Kind = Literal["same", "flip", "for_people", "needs_calls", "not_replayable"]
NEED_CALLS = frozenset({"services", "info"})
"""Reasons for which the provider would have to be asked."""


class Judged(NamedTuple):
    """One verdict, looked at again."""

    kind: Kind
    why: str = ""  # person or floor; or what NotReplayable says
    detail: str = ""
    before: Decision | None = None  # what counts now
    record: Recorded | None = None
    again: Replayed | None = None

    @property
    def after(self) -> Decision | None:
        """What the policy decides."""
        return self.again.decision if self.again else None


def judge(verdict: Mapping[str, Any], replaying: Replaying, person: Decision | None = None) -> Judged:
    """Decide again about the newest verdict of an image, about which a `person` may have decided."""
    record = recorded(verdict)
    if isinstance(record, NotReplayable):
        return Judged("not_replayable", *record)
    again = replaying.decide(record)
    if isinstance(again, NotReplayable):
        needs_calls = again.reason in NEED_CALLS and person is None
        return Judged("needs_calls" if needs_calls else "not_replayable", *again, record.decision, record)
    before = person or record.decision
    if again.decision is before:
        return Judged("same", "", "", before, record, again)
    if person is not None:
        return Judged("for_people", "person", "", before, record, again)
    floor = stricter(record.floor, again.floor)
    if floor is not None and STRICTNESS[again.decision] < STRICTNESS[floor.decision]:
        return Judged("for_people", "floor", floor.rule, before, record, again)
    return Judged("flip", "", "", before, record, again)


def stricter(one: Floor | None, other: Floor | None) -> Floor | None:
    """Of two floors the higher one; of equals the first."""
    if one is None or other is None:
        return one or other
    return other if STRICTNESS[other.decision] > STRICTNESS[one.decision] else one
