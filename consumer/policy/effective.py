"""
What a policy says of one tenant and purpose: its overlays laid over its base, and its rules made ready. Pure.

    tenant, purpose ──► the overlays that match, the most specific first ──► one set of routes, fallbacks and rules

A finding's outcome is that of the first rule that matches it. A pinned rule counts also where an earlier one matched:
then the stricter of both does. A rule in shadow, or rolled out to other images, does not count; what it would have led
to is said beside.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from consumer.hits import Hits
from consumer.policy.language import Overlay
from consumer.policy.overlays import Laid, OverlayIndex, asked_of, first
from consumer.policy.patterns import PatternIndex
from consumer.policy.ready import (
    NEVER_MATCHED,
    ONLY_EXACTLY,
    Circumstances,
    Ready,
    Routed,
    Tried,
    expiry,
    ready,
    routed,
)
from consumer.policy.schema import PolicySettings
from consumer.records import STRICTNESS, Asked, Decision, Finding
from consumer.vendor_facts.aliyun import ALLOWLISTED

_MOST_KNOWN = 4_096  # kinds of findings that are remembered; labels are the provider's, so that there are a few hundred

_UNKNOWN_LEVEL = routed("default:unknown_level", Decision.REVIEW)

Kind = tuple[str, str, str]
"""Service, label and level of a finding: its first three members."""


class Routing:
    """What findings lead to by rules of which none expires meanwhile. What kinds of them lead to is remembered."""

    def __init__(self, routes: Mapping[str, Routed], allowlist: Routed, rules: Sequence[Ready]) -> None:
        """`rules` are those that have not expired, in the order in which they are looked at."""
        self._routes = routes
        self._allowlist = allowlist
        self._rules = rules
        self._index = PatternIndex([rule.labels for rule in rules], ONLY_EXACTLY)
        self._tries = any(rule.share < 1 for rule in rules)
        self.constant: dict[Kind, Routed] = {}
        """What findings of a kind lead to whatever else is so. To be looked at before `route`, to save the call."""
        self._depends: dict[Kind, Sequence[Ready]] = {}  # the rules to look at for others

    def route(self, finding: Finding, hits: Hits, image: Circumstances) -> Routed:
        """Say what a finding leads to that is in an answer with these hits."""
        kind = finding[:3]
        rules = self._depends.get(kind)
        if rules is None:
            if (known := self.constant.get(kind)) is not None:
                return known
            rules = self._look_up(kind)
            if all(rule.always for rule in rules):
                known = self.constant[kind] = self._routed(kind, rules)
                return known
            self._depends[kind] = rules
        label, confidence = finding[1], finding[3]
        matching = [rule for rule in rules if rule.always or rule.matches(label, confidence, hits, image)]
        if self._tries and matching and matching[0].share < 1:
            return self._tried(kind, matching, image)
        return self._routed(kind, matching)

    def _look_up(self, kind: Kind) -> Sequence[Ready]:
        """Return the rules that may match findings of a kind, without those that another one leaves nothing."""
        if len(self.constant) + len(self._depends) >= _MOST_KNOWN:
            self.constant.clear()
            self._depends.clear()
        service, label, level = kind
        if label in NEVER_MATCHED:
            return ()
        found: list[Ready] = []
        decided = False
        for place in self._index.about(label):
            rule = self._rules[place]
            if (not decided or rule.is_pinned) and rule.may_match(service, level):
                found.append(rule)
                decided = decided or rule.always
        return found

    def _tried(self, kind: Kind, matching: Sequence[Ready], image: Circumstances) -> Routed:
        """Say what a finding leads to whose first rule may not count; later ones change nothing that it does."""
        counting = 0
        while counting < len(matching) and not matching[counting].counts_for(image):
            counting += 1
        decided = self._routed(kind, matching[counting:])
        if counting == 0:
            return decided
        name, then = matching[0].id, matching[0].then
        if decided.floor is not None and STRICTNESS[decided.floor.decision] > STRICTNESS[then]:
            then = decided.floor.decision
        return decided if then is decided.decision else decided._replace(tried=Tried(name, then))

    def _routed(self, kind: Kind, matching: Sequence[Ready]) -> Routed:
        if not matching:
            return self._default(kind)
        decided = matching[0].alone
        if len(matching) == 1 or not (pinned := [rule.alone for rule in matching if rule.is_pinned]):
            return decided
        strictest = max(pinned, key=lambda each: each.strictness)
        return strictest if strictest.strictness > decided.strictness else decided._replace(floor=strictest.floor)

    def _default(self, kind: Kind) -> Routed:
        _, label, level = kind
        if label == ALLOWLISTED and level == "none":
            return self._allowlist
        return self._routes.get(level, _UNKNOWN_LEVEL)


@dataclass(slots=True, eq=False)
class Effective:
    """The policy for one tenant and purpose."""

    asked: Asked
    routes: Mapping[str, Routed]
    allowlist: Routed
    reviews_unseen: bool
    on_error: dict[str, Decision]
    rules: Sequence[Ready]
    tries: bool  # whether some of the rules do not count for every image
    ends: Sequence[float]  # at which rules expire, rising, in unix seconds
    _routing: dict[int, Routing] = field(default_factory=dict)  # by how many of the ends are over

    def at(self, now: float) -> Routing:
        """Return what decides at a moment, in unix seconds: rules that have expired match nothing."""
        over = bisect_right(self.ends, now)
        if (made := self._routing.get(over)) is None:
            rules = [rule for rule in self.rules if rule.until > now]
            made = self._routing[over] = Routing(self.routes, self.allowlist, rules)
        return made


class Policies:
    """A policy by tenant and purpose. There are as many as its overlays have combinations, whatever producers name."""

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings
        self._overlays = OverlayIndex(settings.overlays)
        self._made: dict[Laid, Effective] = {}
        self._known: dict[tuple[str, str], Effective] = {}  # by tenant and purpose, of some

    def of(self, tenant: str, purpose: str) -> Effective:
        """Return the policy for a tenant and purpose."""
        if (known := self._known.get((tenant, purpose))) is not None:
            return known
        laid = self._overlays.of(tenant, purpose)
        if (made := self._made.get(laid)) is None:
            made = self._made[laid] = effective(self._settings, [self._settings.overlays[place] for place in laid])
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[tenant, purpose] = made
        return made


def effective(settings: PolicySettings, overlays: Sequence[Overlay]) -> Effective:
    """Lay overlays over a policy, the most specific one first."""
    route, on_error = settings.route.model_dump(), settings.on_error.model_dump()
    for overlay in reversed(overlays):
        route |= overlay.route.model_dump(exclude_none=True)
        on_error |= overlay.on_error.model_dump(exclude_none=True)
    routes = {level: routed(f"default:{level}", Decision(to)) for level, to in route.items()}
    strict = first([overlay.strict_recall for overlay in overlays], settings.strict_recall)
    if strict and routes["low"].decision is Decision.PASS:
        routes["low"] = routed("strict_recall:low", Decision.REVIEW)
    allowlist = first([overlay.allowlist for overlay in overlays], settings.allowlist)
    written = [*(rule for overlay in overlays for rule in overlay.rules), *settings.rules]
    return Effective(
        asked=asked_of(settings.asked, overlays),
        routes=routes,
        allowlist=routed("default:allowlist", Decision(allowlist)),
        reviews_unseen=first([overlay.unseen_frames for overlay in overlays], settings.unseen_frames) == "review",
        on_error={kind: Decision(to) for kind, to in on_error.items()},
        rules=tuple(map(ready, written)),
        tries=any(rule.share < 1 for rule in written),
        ends=sorted({end for rule in written if (end := expiry(rule)) < inf}),
    )
