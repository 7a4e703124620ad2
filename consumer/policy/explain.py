"""
Why a policy decides as it does: every finding, every rule that was looked at, and why it matched or did not. Pure.
"""

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from consumer.policy.effective import RANK, Effective, Ready, Routed
from consumer.policy.language import OVERALL
from consumer.records import Decision, Finding


class Looked(NamedTuple):
    """One rule that was looked at: why it does not match, and why it does not count; None where it does."""

    rule: str
    then: Decision
    is_pinned: bool
    why_not: str | None
    why_held: str | None


class Explained(NamedTuple):
    """One finding, the rules in the order in which they are looked at, and what it led to."""

    finding: Finding
    looked_at: tuple[Looked, ...]
    routed: Routed


def explained(policy: Effective, finding: Finding, now: float, identity: str) -> Explained:
    """Explain one finding of the image with this identity at `now` in unix seconds."""
    looked_at = tuple(
        Looked(each.id, each.then, each.is_pinned, _why_not(each, finding, now), _why_held(each, identity))
        for each in policy.rules
    )
    return Explained(finding, looked_at, policy.route(finding, now, identity))


def _why_held(rule: Ready, identity: str) -> str | None:
    if rule.counts_for(identity):
        return None
    if rule.in_shadow:
        return "in shadow"
    return f"rolled out to {rule.share:g} of images, not to this one" if rule.share else "rolled out to no image"


def _why_not(rule: Ready, finding: Finding, now: float) -> str | None:
    return "; ".join(_reasons(rule, finding, now)) or None


def _reasons(rule: Ready, finding: Finding, now: float) -> Iterator[str]:
    if finding.label == OVERALL:
        yield "no rule is about a level which no label explains"
        return
    if not rule.is_about(finding.label):
        yield "it is about other labels"
    if not rule.is_by(finding.service):
        yield "it is about other services"
    if rule.levels and finding.level not in rule.levels:
        yield f"the level is {finding.level}, not {' or '.join(sorted(rule.levels, key=RANK.__getitem__))}"
    if finding.level not in RANK and rule.then is Decision.PASS:
        yield "the level is unknown, and no rule lets that pass"
    if not rule.any_confidence and not rule.has_in_range(finding.confidence):
        has = "there is no confidence" if finding.confidence is None else f"the confidence is {finding.confidence:g}"
        yield f"{has}, not {rule.low:g} or more and less than {rule.high:g}"
    if now >= rule.until:
        last = datetime.datetime.fromtimestamp(rule.until, datetime.UTC).date() - datetime.timedelta(days=1)
        yield f"it expired on {last}"
