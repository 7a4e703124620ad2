"""
What changes from one policy to another, member by member. Pure.

Rules are known by their ids, overlays by whom they are for. Whatever else a policy says is compared as it is written:
a member that is new in the schema is compared too. Nothing is different exactly where the digests are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple, TypeVar

from consumer.policy.language import Overlay, Rule, When
from consumer.policy.schema import Policy, PolicySettings

Name = TypeVar("Name", str, When)
Scope = When | None
"""Whom an overlay is for; None stands for the base."""


class Difference(NamedTuple):
    """One thing that is different."""

    kind: Literal["added", "removed", "changed", "moved"]
    scope: Scope
    keys: tuple[str, ...]  # in there, a rule by its id; none where the overlay itself is meant
    before: Any  # None where there was none; of a rule that moved, the scope
    after: Any
    follower: str | None = None  # of a rule that was added or moved: which is looked at next, None where it is the last


class _Standing(NamedTuple):
    """A rule, and where it stands."""

    scope: Scope
    rule: Rule
    follower: str | None


def differences(current: Policy, candidate: Policy) -> list[Difference]:
    """Find what is different: the digest first, then the base, then overlay by overlay."""
    if current.sha256 == candidate.sha256:
        return []
    before, after = current.settings, candidate.settings
    pairs = _paired(before.overlays, after.overlays)
    found = [
        Difference("changed", None, ("sha256",), current.sha256, candidate.sha256),
        *_members(_dumped(before, "rules", "overlays"), _dumped(after, "rules", "overlays"), None),
        *_overlays(before.overlays, after.overlays, pairs),
        *_rules(_standing(before, pairs), _standing(after, {})),
    ]
    order: list[Scope] = [None, *(pairs.get(each.when, each.when) for each in before.overlays)]
    order += [each.when for each in after.overlays]
    return sorted(found, key=lambda each: order.index(each.scope))


def _members(before: Any, after: Any, scope: Scope, keys: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Compare what has no place of its own; a section that is not there has no members."""
    if isinstance(before, dict) or isinstance(after, dict):
        one, two = before or {}, after or {}
        for key in {**one, **two}:
            yield from _members(one.get(key), two.get(key), scope, (*keys, key))
    elif before != after:
        yield Difference("changed", scope, keys, before, after)


def _overlays(before: Sequence[Overlay], after: Sequence[Overlay], pairs: Mapping[When, When]) -> Iterator[Difference]:
    olds = {pairs.get(each.when, each.when): each for each in before}
    news = {each.when: each for each in after}
    for when, overlay in olds.items():
        if when not in news:
            yield Difference("removed", when, (), _spelt_out(overlay, "when", "rules"), None)
    moved = _moved(list(olds), list(news))
    for when, overlay in news.items():
        if when not in olds:
            yield Difference("added", when, (), None, _spelt_out(overlay, "when", "rules"))
            continue
        if when in moved:
            yield Difference("moved", when, (), None, None)
        yield from _members(_dumped(olds[when], "rules"), _dumped(overlay, "rules"), when)


def _rules(before: Mapping[str, _Standing], after: Mapping[str, _Standing]) -> Iterator[Difference]:
    for name, stood in before.items():
        if name not in after:
            yield Difference("removed", stood.scope, ("rules", name), _spelt_out(stood.rule, "id"), None)
    moved = {name for scope in {each.scope for each in after.values()} for name in _moved_in(scope, before, after)}
    for name, stands in after.items():
        keys = ("rules", name)
        if (stood_at := before.get(name)) is None:
            yield Difference("added", stands.scope, keys, None, _spelt_out(stands.rule, "id"), stands.follower)
            continue
        if stood_at.scope != stands.scope or name in moved:
            yield Difference("moved", stands.scope, keys, stood_at.scope, stands.scope, stands.follower)
        yield from _members(_dumped(stood_at.rule, "id"), _dumped(stands.rule, "id"), stands.scope, keys)


def _standing(settings: PolicySettings, pairs: Mapping[When, When]) -> dict[str, _Standing]:
    """Every rule by its id."""
    scopes: list[tuple[Scope, Sequence[Rule]]] = [(None, settings.rules)]
    scopes += [(pairs.get(each.when, each.when), each.rules) for each in settings.overlays]
    return {
        rule.id: _Standing(scope, rule, rules[at].id if at < len(rules) else None)
        for scope, rules in scopes
        for at, rule in enumerate(rules, 1)
    }


def _paired(before: Sequence[Overlay], after: Sequence[Overlay]) -> dict[When, When]:
    """Which overlays have become which: those for the same, and of the others those that have somebody in common."""
    olds, news = ([each.when for each in overlays] for overlays in (before, after))
    pairs = {when: when for when in olds if when in news}
    for when in olds:
        alike = [each for each in news if each not in pairs.values() and each.overlaps(when)]
        if when not in pairs and alike:
            pairs[when] = alike[0]
    return pairs


def _moved_in(scope: Scope, before: Mapping[str, _Standing], after: Mapping[str, _Standing]) -> set[str]:
    one, two = ([name for name, each in standing.items() if each.scope == scope] for standing in (before, after))
    return _moved(one, two)


def _moved(before: Sequence[Name], after: Sequence[Name]) -> set[Name]:
    """Those in both that stand elsewhere among the others."""
    one, two = [each for each in before if each in after], [each for each in after if each in before]
    blocks = SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks()
    return set(one).difference(*(one[block.a : block.a + block.size] for block in blocks))


def _dumped(section: PolicySettings | Overlay | Rule, *but: str) -> dict[str, Any]:
    return section.model_dump(mode="json", exclude=set(but))


def _spelt_out(section: Overlay | Rule, *but: str) -> dict[str, Any]:
    """What it says beside the defaults."""
    return section.model_dump(mode="json", exclude=set(but), exclude_defaults=True)
