"""
A rule made ready to be asked, and what it may look at beside a finding. Pure.
"""

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from consumer.hits import Hits
from consumer.policy.language import OVERALL, Match, Rule
from consumer.policy.patterns import compiled
from consumer.records import STRICTNESS, Decision, Floor
from consumer.rollout import is_in_share
from consumer.vendor_facts.aliyun import ALLOWLISTED, LIBRARY, NOTHING_FOUND, TEXT_LIBRARY

RANK = {"none": 0, "low": 1, "medium": 2, "high": 3}
"""Vendor: the risk levels, rising."""

UNSEEN = "__unseen_frames__"
NEVER_MATCHED = {OVERALL, UNSEEN}  # nothing is demoted that the provider did not attribute
ONLY_EXACTLY = {NOTHING_FOUND, ALLOWLISTED}

Value = tuple[bool, str | int | float]
"""A text, number or truth value; the first says whether it is a truth value, which equals no number."""


class Circumstances:
    """What rules may look at of an image beside its answers. What takes work is done once it is asked for."""

    __slots__ = ("_context", "_read", "identity", "now")

    def __init__(self, now: float, identity: Callable[[], str], context: Callable[[], Mapping[str, Any]]) -> None:
        """`now` is in unix seconds; an identity that is not known is empty, and such an image is in no rollout."""
        self.now = now
        self.identity = identity
        self._read = context
        self._context: Mapping[str, Any] | None = None

    @property
    def context(self) -> Mapping[str, Any]:
        """The event's; empty where it was left out."""
        if self._context is None:
            self._context = self._read()
        return self._context


class Tried(NamedTuple):
    """What a finding would lead to, were a rule to count that does not."""

    rule: str
    decision: Decision


class Routed(NamedTuple):
    """What a finding leads to, by which rule, and what no machine may make milder."""

    rule: str
    decision: Decision
    strictness: int
    floor: Floor | None = None
    tried: Tried | None = None  # None where that is the same decision


def routed(rule: str, decision: Decision, floor: Floor | None = None) -> Routed:
    """Make what leads to a decision."""
    return Routed(rule, decision, STRICTNESS[decision], floor)


class Ready(NamedTuple):
    """A rule, made ready. Where a collection is empty anything will do."""

    id: str
    then: Decision
    alone: Routed  # what a finding leads to that no other rule matches
    is_pinned: bool
    labels: Sequence[str]  # patterns
    is_about: Callable[[str], object]  # labels: true of those that it is about
    is_by: Callable[[str], object]  # services
    levels: frozenset[str]
    low: float
    high: float
    any_confidence: bool
    libraries: frozenset[str]
    figure: bool
    logos: frozenset[str]
    context: Mapping[str, frozenset[Value]]
    until: float  # unix seconds
    in_shadow: bool
    share: float  # of images that it counts for: 0 in shadow
    always: bool  # whether it matches, and counts, wherever service, label and level are those that it is about

    def may_match(self, service: str, level: str) -> bool:
        """Whether it can match a finding of a label that it is about."""
        if (self.levels and level not in self.levels) or not self.is_by(service):
            return False
        return level in RANK or self.then is not Decision.PASS

    def matches(self, label: str, confidence: float | None, hits: Hits, image: Circumstances) -> bool:
        """Whether it matches a finding that it may match, in an answer with these hits; while it has not expired."""
        return (
            (self.any_confidence or self.has_in_range(confidence))
            and (not self.libraries or not self.libraries.isdisjoint(libraries_of(label, hits)))
            and (not self.figure or hits.public_figures > 0)
            and (not self.logos or not self.logos.isdisjoint(hits.logo_names))
            and (not self.context or self.is_in(image.context))
        )

    def counts_for(self, image: Circumstances) -> bool:
        """Whether it counts for an image."""
        if self.share >= 1:
            return True
        return self.share > 0 and bool(identity := image.identity()) and is_in_share(self.share, self.id, identity)

    def has_in_range(self, confidence: float | None) -> bool:
        """Whether a confidence is in the rule's range; none at all is in none."""
        return confidence is not None and self.low <= confidence < self.high

    def is_in(self, context: Mapping[str, Any]) -> bool:
        """Whether each member that it names has one of the values that it names."""
        return all(value_of(context.get(name)) in values for name, values in self.context.items())


def libraries_of(label: str, hits: Hits) -> Collection[str]:
    """Return the libraries that may have led to a finding. Vendor: no label is linked to one: it is all of a kind."""
    if label == ALLOWLISTED or not label.endswith(LIBRARY):
        return ()
    return hits.keyword_libraries if label.endswith(TEXT_LIBRARY) else hits.image_libraries


def value_of(value: Any) -> Value | None:
    """Return what is compared of a context's member; None of a list, an object or null, which nothing is equal to."""
    return (isinstance(value, bool), value) if isinstance(value, str | int | float) else None


def ready(rule: Rule) -> Ready:
    """Make a rule ready."""
    match, confidence, then = rule.match, rule.match.confidence, Decision(rule.then)
    return Ready(
        id=rule.id,
        then=then,
        alone=routed(rule.id, then, Floor(rule.id, then) if rule.pin else None),
        is_pinned=rule.pin,
        labels=match.label,
        is_about=compiled(match.label, ONLY_EXACTLY),
        is_by=compiled(match.service),
        levels=frozenset(match.level),
        low=confidence.gte or 0.0 if confidence else 0.0,
        high=inf if confidence is None or confidence.lt is None else confidence.lt,
        any_confidence=confidence is None,
        libraries=frozenset(match.library),
        figure=bool(match.figure),
        logos=frozenset(match.logo),
        context={name: frozenset((isinstance(each, bool), each) for each in of) for name, of in match.context.items()},
        until=expiry(rule),
        in_shadow=rule.mode == "shadow",
        share=rule.share,
        always=rule.share >= 1 and confidence is None and not _has_conditions(match),
    )


def _has_conditions(match: Match) -> bool:
    return bool(match.library or match.figure or match.logo or match.context)


def expiry(rule: Rule) -> float:
    """The moment from which a rule matches nothing, in unix seconds: the end of its last day in UTC."""
    if rule.why is None or rule.why.expires is None:
        return inf
    midnight = datetime.datetime.combine(rule.why.expires, datetime.time(), datetime.UTC)
    return midnight.timestamp() + 86_400.0


def expired(rules: Iterable[Rule], now: float) -> list[str]:
    """The ids of the rules that match nothing any more, at `now` in unix seconds."""
    return [rule.id for rule in rules if expiry(rule) <= now]
