"""
Records that neither of two policies can tell apart, so that each kind of them is decided about once.

Two findings are alike where the same rules are about their labels, the level is the same, and the confidences lie
between the same bounds of these rules. Two records are of a kind where their findings are alike, and all else is the
same that a rule, an overlay or `on_error` looks at. The first of a kind is decided about by `Replaying`, as a single
verdict would be; what that comes to holds for the others.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

import orjson

from consumer.policy.backtest.cells import cell_of
from consumer.policy.language import OVERALL, Match, Rule
from consumer.policy.patterns import compiled
from consumer.policy.ready import UNSEEN, expiry
from consumer.policy.replay import Kept, NotReplayable, Replayed, Replaying, recorded
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import STRICTNESS
from consumer.rollout import is_in_share
from consumer.vendor_facts.aliyun import ALLOWLISTED, NOTHING_FOUND

MOST_KINDS = 50_000  # remembered at a time
_MOST_LABELS = 4_096
_LAST_MOMENT = 253_402_300_799.0  # unix seconds: the year 9999 ends
_KNOWN = {"label", "service", "level", "confidence"}
"""Conditions of a rule that the key of a kind has by itself; with others, all of hits and context is part of it."""

_WITH_A_MEANING = {NOTHING_FOUND, ALLOWLISTED, OVERALL, UNSEEN}
"""Labels of which a policy knows more than which rules are about them."""

Likeness = tuple[Hashable, ...]
"""What findings that are alike have in common."""


class NotAVerdict(ValueError):
    """Something in it is not what it should be."""


class Marginal(NamedTuple):
    """What the candidate would decide without one of its rules, where that is another decision."""

    rule: str
    without: int


class Kind:
    """A kind of records, how many there are, and what both policies decide about them, as places in `DECISIONS`."""

    __slots__ = ("candidate", "cell", "count", "current", "marginals", "rules", "why", "why_not")

    def __init__(
        self,
        current: int,
        candidate: int,
        *,
        rules: Sequence[str] = ("", ""),
        why: Sequence[Likeness | None] = (None, None),
        marginals: Sequence[Marginal] = (),
        why_not: str | None = None,
    ) -> None:
        self.current = current
        self.candidate = candidate
        self.rules = rules  # that decide, of either policy; empty where a failure does
        self.why = why  # the findings that decide, likewise
        self.marginals = marginals
        self.why_not = why_not  # it cannot be replayed: then nothing but the count has a meaning
        self.count = 0
        self.cell = cell_of(current, candidate)


class Kinds:
    """Finds the kind of a record. A kind that is forgotten, because there are too many, is handed to `folded`."""

    def __init__(self, current: Policy, candidate: Policy, folded: Callable[[Kind], None], kept: Kept = "none") -> None:
        """`kept` is the members of the context that verdicts keep, as `Replaying` takes them."""
        self._differences = _Differences((current.settings, candidate.settings))
        self._kept = kept
        self._replaying = Replaying(current, kept), Replaying(candidate, kept)
        self._candidate = candidate
        self._without: dict[str, Replaying] = {}
        self._folded = folded
        self._kinds: dict[Hashable, Kind] = {}

    def of(self, verdict: Mapping[str, Any]) -> Kind:
        """Return the kind of a verdict, and count it. `KeyError`, `TypeError` and the like escape where it is none."""
        key = self._differences.key(verdict)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= MOST_KINDS:
                self.fold()
            kind = self._kinds[key] = self._decided(verdict)
        kind.count += 1
        return kind

    def deciding_label(self, verdict: Mapping[str, Any], kind: Kind, whose: int) -> str:
        """The label that decides about a verdict of this kind, by the current policy (0) or the candidate (1)."""
        why = kind.why[whose]
        alike = (each["label"] for each in verdict["findings"] if self._differences.likeness(each) == why)
        return next(alike, "")

    def fold(self) -> None:
        """Hand over every kind, and forget it."""
        for kind in self._kinds.values():
            self._folded(kind)
        self._kinds.clear()

    def _decided(self, verdict: Mapping[str, Any]) -> Kind:
        record = recorded(verdict)
        if isinstance(record, NotReplayable):
            raise NotAVerdict(record.detail)
        decided = []
        for whose, replaying in zip(("current", "candidate"), self._replaying, strict=True):
            replayed = replaying.decide(record)
            if isinstance(replayed, NotReplayable):
                return Kind(0, 0, why_not=f"{whose}: {_told(replayed)}")
            decided.append(replayed)
        current, candidate = decided
        rules, why = zip(*map(self._reason, decided), strict=True)
        return Kind(
            STRICTNESS[current.decision],
            STRICTNESS[candidate.decision],
            rules=rules,
            why=why,
            marginals=tuple(self._marginals(candidate, record)),
        )

    def _reason(self, replayed: Replayed) -> tuple[str, Likeness | None]:
        """
        The rule that decides, and the findings that it decides by. Of several, those whose rule and likeness come first
        as text: in which order the findings of the first record of a kind stand must make no difference.
        """
        names = ("service", "label", "level", "confidence")
        reasons = [
            (each.rule, self._differences.likeness({name: getattr(found, name) for name in names}))
            for each, found in zip(replayed.routed, replayed.findings, strict=True)
            if each.decision is replayed.decision
        ]
        return min(reasons, key=repr, default=("", None))

    def _marginals(self, candidate: Replayed, record: Any) -> Iterator[Marginal]:
        """Leave out each rule that a finding, or the floor, was decided by; no other one makes a difference."""
        rules = {each.rule for each in candidate.routed}
        rules |= {each.floor.rule for each in candidate.routed if each.floor}
        for rule in sorted(rules & self._differences.ids):
            without = self._replaying_without(rule).decide(record)
            if isinstance(without, Replayed) and without.decision is not candidate.decision:
                yield Marginal(rule, STRICTNESS[without.decision])

    def _replaying_without(self, rule: str) -> Replaying:
        if (made := self._without.get(rule)) is None:
            settings = _left_out(self._candidate.settings, rule)
            made = self._without[rule] = Replaying(Policy(settings=settings, sha256=self._candidate.sha256), self._kept)
        return made


class _Differences:
    """What policies look at in a verdict."""

    def __init__(self, policies: Sequence[PolicySettings]) -> None:
        rules = [rule for policy in policies for rule in _rules(policy)]
        overlays = [overlay.when for policy in policies for overlay in policy.overlays]
        self.ids = {rule.id for rule in _rules(policies[-1])}
        self._tenants = {name for when in overlays for name in when.tenant}
        self._purposes = {name for when in overlays for name in when.purpose}
        self._rules = [_About(rule) for rule in rules]
        self._ends = sorted({moment_of(end) for rule in rules if isfinite(end := expiry(rule))})
        self._rollouts = sorted({(rule.share, rule.id) for rule in rules if 0 < rule.share < 1})
        frames = [policy.unseen_frames for policy in policies]
        frames += [overlay.unseen_frames or "pass" for policy in policies for overlay in policy.overlays]
        self._looks_at_frames = "review" in frames
        self._looks_beyond = any(rule.match.model_fields_set - _KNOWN for rule in rules)
        self._has_more = bool(self._rollouts or self._looks_at_frames or self._looks_beyond)
        self._learnt: dict[tuple[str, str, str], tuple[Likeness, Sequence[float]]] = {}

    def key(self, verdict: Mapping[str, Any]) -> Hashable:
        """Return what all records of a kind have in common."""
        tenant, purpose, findings = verdict["tenant"], verdict["purpose"], verdict["findings"]
        return (
            self.likeness(findings[0]) if len(findings) == 1 else frozenset(map(self.likeness, findings)),
            tenant if tenant in self._tenants else None,
            purpose if purpose in self._purposes else None,
            tuple(verdict["asked"]["services"]),
            None if verdict["error"] is None else _failures(verdict),
            self._days(verdict["timing"]) if self._ends else 0,
            self._more(verdict) if self._has_more else None,
        )

    def likeness(self, finding: Mapping[str, Any]) -> Likeness:
        """Return what a finding has in common with those that are alike."""
        name = finding["service"], finding["label"], finding["level"]
        learnt = self._learnt
        likeness, bounds = learnt[name] if name in learnt else self._learn(name)
        if not bounds:
            return likeness
        confidence = finding["confidence"]
        return (*likeness, -1 if confidence is None else bisect_right(bounds, confidence))

    def _learn(self, name: tuple[str, str, str]) -> tuple[Likeness, Sequence[float]]:
        if len(self._learnt) >= _MOST_LABELS:
            self._learnt.clear()
        service, label, level = name
        about = [at for at, rule in enumerate(self._rules) if rule.is_about(service, label)]
        named = label if self._looks_beyond or label in _WITH_A_MEANING else None
        bounds = {bound for at in about for bound in self._rules[at].bounds}
        made = self._learnt[name] = (service, level, named, *about), sorted(bounds)
        return made

    def _days(self, timing: Mapping[str, str]) -> int:
        """How many rules had expired by then."""
        return bisect_right(self._ends, timing["as_of"] if "as_of" in timing else timing["decided"])

    def _more(self, verdict: Mapping[str, Any]) -> Hashable:
        """What most policies do not look at."""
        rest: list[Hashable] = []
        if self._rollouts:
            identity = verdict.get("identity") or ""
            rest.append(tuple(bool(identity) and is_in_share(*each, identity) for each in self._rollouts))
        if self._looks_at_frames:
            rest.append(_text(verdict.get("coverage")))
        if self._looks_beyond:
            rest.append(_text([verdict["hits"], verdict["context"], verdict["asked"]]))
        return tuple(rest)


class _About:
    """Which labels a rule is about, and from which confidence to which."""

    def __init__(self, rule: Rule) -> None:
        self._label, self._service = compiled(rule.match.label), compiled(rule.match.service)
        self.bounds = list(bounds_of(rule.match))

    def is_about(self, service: str, label: str) -> bool:
        return bool(self._label(label) and self._service(service))


def bounds_of(match: Match) -> Iterator[float]:
    """The confidences at which a rule begins or ends to match."""
    if match.confidence:
        yield from (each for each in (match.confidence.gte, match.confidence.lt) if each is not None)


def _rules(settings: PolicySettings) -> Iterator[Rule]:
    yield from settings.rules
    for overlay in settings.overlays:
        yield from overlay.rules


def _left_out(settings: PolicySettings, rule: str) -> PolicySettings:
    """The policy without one rule."""
    overlays = tuple(
        overlay.model_copy(update={"rules": tuple(each for each in overlay.rules if each.id != rule)})
        for overlay in settings.overlays
    )
    rules = tuple(each for each in settings.rules if each.id != rule)
    return settings.model_copy(update={"rules": rules, "overlays": overlays})


def _failures(verdict: Mapping[str, Any]) -> Hashable:
    error, calls = verdict["error"], verdict["provider"].get("calls") or ()
    failed = tuple((call["service"], call["code"]) for call in calls if call["code"] != "200")
    return (error["class"], error["code"], error.get("service"), failed)


def _text(value: Any) -> str:
    """It as JSON. What orjson returns by itself holds four kilobytes, however short: the buffer that it wrote into."""
    return orjson.dumps(value).decode()


def _told(why: NotReplayable) -> str:
    return f"{why.reason}: {why.detail}" if why.detail else why.reason


def moment_of(unix_seconds: float) -> str:
    """A moment as verdicts write it; such texts have the order of their moments."""
    bounded = min(unix_seconds, _LAST_MOMENT)
    return datetime.fromtimestamp(bounded, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
