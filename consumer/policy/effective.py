"""
What a policy says of one tenant and purpose: its overlays laid over its base, and its rules made ready. Pure.

    tenant, purpose ──► the overlays that match, the most specific first ──► one set of routes, fallbacks and rules

A finding's outcome is that of the first rule that matches it. A pinned rule counts also where an earlier one matched:
then the stricter of both does. A rule in shadow, or rolled out to other images, does not count; what it would have led
to is said beside.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple, TypeVar

from consumer.policy.language import OVERALL, Overlay, Rule
from consumer.policy.patterns import compiled
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Decision, Finding, Floor
from consumer.rollout import is_in_share
from consumer.vendor_facts.aliyun import ALLOWLISTED, NOTHING_FOUND

RANK = {"none": 0, "low": 1, "medium": 2, "high": 3}
"""Vendor: the risk levels, rising."""

UNSEEN = "__unseen_frames__"
_NEVER_MATCHED = {OVERALL, UNSEEN}  # nothing is demoted that the provider did not attribute
_ONLY_EXACTLY = {NOTHING_FOUND, ALLOWLISTED}
_MOST_LABELS = 4_096  # that rules are remembered for; the provider's, so that there are a few hundred

Value = TypeVar("Value")


class Ready(NamedTuple):
    """A rule, made ready."""

    id: str
    then: Decision
    is_pinned: bool
    is_about: Callable[[str], object]  # labels: true of those that it is about
    is_by: Callable[[str], object]  # services
    levels: frozenset[str]  # all where empty
    low: float
    high: float
    any_confidence: bool
    until: float  # unix seconds
    in_shadow: bool
    share: float  # of images that it counts for: 0 in shadow

    def counts_for(self, identity: str) -> bool:
        """Whether it counts for an image; one whose identity is not known, which is empty, is in no rollout."""
        return self.share >= 1 or (self.share > 0 and bool(identity) and is_in_share(self.share, self.id, identity))

    def matches(self, finding: Finding, now: float) -> bool:
        """Whether it matches a finding, whose label and service it is about, at `now` in unix seconds."""
        if now >= self.until or (self.levels and finding.level not in self.levels):
            return False
        if finding.level not in RANK and self.then is Decision.PASS:
            return False
        return self.any_confidence or self.has_in_range(finding.confidence)

    def has_in_range(self, confidence: float | None) -> bool:
        """Whether a confidence is in the rule's range; none at all is in none."""
        return confidence is not None and self.low <= confidence < self.high


class Tried(NamedTuple):
    """What a finding would lead to, were a rule to count that does not."""

    rule: str
    decision: Decision


class Routed(NamedTuple):
    """What a finding leads to, by which rule, and what no machine may make milder."""

    rule: str
    decision: Decision
    floor: Floor | None = None
    tried: Tried | None = None  # None where that is the same decision


@dataclass(frozen=True, slots=True)
class Effective:
    """The policy for one tenant and purpose."""

    routes: dict[str, tuple[str, Decision]]
    allowlist: Decision
    reviews_unseen: bool
    on_error: dict[str, Decision]
    rules: Sequence[Ready]
    tries: bool  # whether some of the rules do not count for every image
    _about: dict[tuple[str, str], Sequence[Ready]] = field(default_factory=dict)

    def route(self, finding: Finding, now: float, identity: str = "") -> Routed:
        """Say what a finding of the image with this identity leads to, at `now` in unix seconds."""
        matching = [rule for rule in self._rules_about(finding) if rule.matches(finding, now)]
        if self.tries and matching and matching[0].share < 1:
            return self._tried(finding, matching, identity)
        return self._routed(finding, matching)

    def _tried(self, finding: Finding, matching: Sequence[Ready], identity: str) -> Routed:
        """Say what a finding leads to whose first rule may not count; later ones change nothing that it does."""
        counting = 0
        while counting < len(matching) and not matching[counting].counts_for(identity):
            counting += 1
        routed = self._routed(finding, matching[counting:])
        if counting == 0:
            return routed
        name, then = matching[0].id, matching[0].then
        rule, decision, floor, _ = routed
        if floor is not None and STRICTNESS[floor.decision] > STRICTNESS[then]:
            then = floor.decision
        return routed if then is decision else Routed(rule, decision, floor, Tried(name, then))

    def _routed(self, finding: Finding, matching: Sequence[Ready]) -> Routed:
        rule, decision = (matching[0].id, matching[0].then) if matching else self._default(finding)
        pinned = [each for each in matching if each.is_pinned]
        if not pinned:
            return Routed(rule, decision)
        floor = max(pinned, key=lambda each: STRICTNESS[each.then])
        if STRICTNESS[floor.then] > STRICTNESS[decision]:
            rule, decision = floor.id, floor.then
        return Routed(rule, decision, Floor(floor.id, floor.then))

    def _rules_about(self, finding: Finding) -> Sequence[Ready]:
        key = finding.service, finding.label
        if (found := self._about.get(key)) is None:
            if len(self._about) >= _MOST_LABELS:
                self._about.clear()
            found = () if finding.label in _NEVER_MATCHED else self._looked_up(*key)
            self._about[key] = found
        return found

    def _looked_up(self, service: str, label: str) -> Sequence[Ready]:
        return [rule for rule in self.rules if rule.is_about(label) and rule.is_by(service)]

    def _default(self, finding: Finding) -> tuple[str, Decision]:
        if finding.label == ALLOWLISTED and finding.level == "none":
            return "default:allowlist", self.allowlist
        return self.routes.get(finding.level, ("default:unknown_level", Decision.REVIEW))


class Policies:
    """A policy by tenant and purpose. There are as many as its overlays have combinations, whatever producers name."""

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings
        self._made: dict[tuple[int | None, ...], Effective] = {}
        # Places in `settings.overlays`. None stands for any tenant, or purpose.
        self._overlays: dict[tuple[str | None, str | None], int] = {}
        for at, overlay in enumerate(settings.overlays):
            when = overlay.when
            self._overlays |= {
                (tenant, purpose): at for tenant in when.tenant or [None] for purpose in when.purpose or [None]
            }

    def of(self, tenant: str, purpose: str) -> Effective:
        """Return the policy for a tenant and purpose."""
        at = self._overlays.get
        key = (at((tenant, purpose)), at((tenant, None)), at((None, purpose))) if self._overlays else ()
        if (made := self._made.get(key)) is None:
            overlays = [self._settings.overlays[place] for place in key if place is not None]
            made = self._made[key] = effective(self._settings, overlays)
        return made


def effective(settings: PolicySettings, overlays: Sequence[Overlay]) -> Effective:
    """Lay overlays over a policy, the most specific one first."""
    route, on_error = settings.route.model_dump(), settings.on_error.model_dump()
    for overlay in reversed(overlays):
        route |= overlay.route.model_dump(exclude_none=True)
        on_error |= overlay.on_error.model_dump(exclude_none=True)
    routes = {level: (f"default:{level}", Decision(to)) for level, to in route.items()}
    strict = _first([overlay.strict_recall for overlay in overlays], settings.strict_recall)
    if strict and routes["low"][1] is Decision.PASS:
        routes["low"] = ("strict_recall:low", Decision.REVIEW)
    written = [*(rule for overlay in overlays for rule in overlay.rules), *settings.rules]
    rules = tuple(ready(rule) for rule in written)
    return Effective(
        routes=routes,
        allowlist=Decision(_first([overlay.allowlist for overlay in overlays], settings.allowlist)),
        reviews_unseen=_first([overlay.unseen_frames for overlay in overlays], settings.unseen_frames) == "review",
        on_error={kind: Decision(to) for kind, to in on_error.items()},
        rules=rules,
        tries=any(rule.share < 1 for rule in rules),
    )


def ready(rule: Rule) -> Ready:
    """Make a rule ready."""
    match, confidence = rule.match, rule.match.confidence
    return Ready(
        id=rule.id,
        then=Decision(rule.then),
        is_pinned=rule.pin,
        is_about=compiled(match.label, _ONLY_EXACTLY),
        is_by=compiled(match.service),
        levels=frozenset(match.level),
        low=confidence.gte or 0.0 if confidence else 0.0,
        high=inf if confidence is None or confidence.lt is None else confidence.lt,
        any_confidence=confidence is None,
        until=expiry(rule),
        in_shadow=rule.mode == "shadow",
        share=rule.share,
    )


def expiry(rule: Rule) -> float:
    """The moment from which a rule matches nothing, in unix seconds: the end of its last day in UTC."""
    if rule.why is None or rule.why.expires is None:
        return inf
    midnight = datetime.datetime.combine(rule.why.expires, datetime.time(), datetime.UTC)
    return midnight.timestamp() + 86_400.0


def _first(values: Sequence[Value | None], default: Value) -> Value:
    return next((value for value in values if value is not None), default)
