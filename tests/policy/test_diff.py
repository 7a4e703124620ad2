"""What is different between two policies is named, whatever it is."""

import json
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from consumer.policy.diff import Difference, differences
from consumer.policy.language import When
from consumer.policy.schema import Policy, PolicySettings

RULE: Mapping[str, Any] = {
    "id": "a",
    "match": {
        "label": ["pt_logo"], "service": ["x"], "level": ["low"], "confidence": {"gte": 50, "lt": 60},
        "library": ["i"], "figure": True, "logo": ["n"], "context": {"trust": ["new", 1]},
    },
    "then": "review",
    "pin": True,
    "why": {"owner": "o", "reason": "r", "expires": "2027-06-30"},
}  # fmt: skip
TRIED = {"id": "c", "match": {"label": ["pt_logo"]}, "then": "review", "mode": "shadow"}
ROLLED_OUT = {"id": "d", "match": {"label": ["pt_logo"]}, "then": "review", "rollout": 0}
ON_ERROR = dict.fromkeys(("fetch", "image", "input", "malformed", "provider", "account", "clock", "internal"), "block")
SHARED: Mapping[str, Any] = {
    "services": ["x"],
    "info": ["customImage", "publicFigure", "logoData"],
    "route": {"high": "review", "medium": "block", "low": "block", "none": "review"},
    "strict_recall": True,
    "allowlist": "review",
    "unseen_frames": "review",
    "on_error": ON_ERROR,
}
WHOLE: Mapping[str, Any] = {
    "policy": "whole",
    "version": 7,
    "record_context": ["trust"],
    **SHARED,
    "rules": [RULE, TRIED, ROLLED_OUT],
    "overlays": [
        {
            "when": {"tenant": ["t"], "purpose": ["p"]},
            **SHARED,
            "rules": [{**RULE, "id": "b"}, {**TRIED, "id": "e"}, {**ROLLED_OUT, "id": "f"}],
        }
    ],
    "acknowledge_vendor_advice": True,
    "catalogue_extra": ["l"],
}
"""A policy that says everything that one can say."""
OTHER = ["block", "review", "pass", "enforce", "low", "high", "logoData", "y", "2031-01-01"]
"""Texts of which one may stand wherever a text does."""


def policy(tree: Mapping[str, Any]) -> Policy:
    read = PolicySettings.model_validate({"policy": "test", "version": 1, **tree})
    return Policy(settings=read, sha256=json.dumps(read.model_dump(mode="json"), sort_keys=True))


def found(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What is different, without the digest."""
    return [each for each in differences(policy(before), policy(after)) if each.keys != ("sha256",)]


def leaves(section: Any, *keys: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where the values of a tree stand; a list of texts is one."""
    if isinstance(section, dict):
        for key, held in section.items():
            yield from leaves(held, *keys, key)
    elif isinstance(section, list) and isinstance(section[0], dict):
        for at, held in enumerate(section):
            yield from leaves(held, *keys, at)
    elif keys[-1] != "id":
        yield keys


def others(value: Any) -> list[Any]:
    """Values that may stand in the place of one."""
    if isinstance(value, bool):
        return [not value, None]  # what cannot be refused can be left out
    if isinstance(value, int):
        return [value + 1]
    return [[*value, other] for other in OTHER] if isinstance(value, list) else OTHER


def with_another(place: tuple[str | int, ...]) -> Mapping[str, Any]:
    """The whole policy with another value in a place."""
    *above, last = place
    tree: dict[str, Any] = json.loads(json.dumps(WHOLE))  # nothing of it stands in two places
    section: Any = tree
    for key in above:
        section = section[key]
    before = section[last]
    for other in others(before):
        section[last] = other
        with suppress(ValidationError):
            if PolicySettings.model_validate(tree) and other != before:
                return tree
    raise AssertionError(f"name a text in OTHER that may stand at {place}")


def unsaid(model: type[BaseModel], tree: Mapping[str, Any], *keys: str) -> Iterator[str]:
    """The members of a model, and of those in it, that a tree lacks; what one rule cannot say another may."""
    for name, held in model.model_fields.items():
        value = tree.get(name, {})
        for kind in kinds(held.annotation):
            yield from unsaid(kind, ChainMap(*value) if isinstance(value, list) else value, *keys, name)
        if name not in tree:
            yield ".".join((*keys, name))


def kinds(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in getattr(annotation, "__args__", ()):
        yield from kinds(each)


def test_the_whole_policy_says_all_that_the_schema_has() -> None:
    """
    So that whoever adds a member is led here, and the test below tries it.
    """
    assert list(unsaid(PolicySettings, WHOLE)) == []


@pytest.mark.parametrize("place", list(leaves(dict(WHOLE))), ids=lambda place: ".".join(map(str, place)))
def test_a_member_that_changed_is_named_and_no_other(place: tuple[str | int, ...]) -> None:
    """
    Whichever it is, of the policy, of a rule, or of an overlay.
    """
    [difference] = found(WHOLE, with_another(place))

    tree, inner = (WHOLE["overlays"][place[1]], place[2:]) if place[0] == "overlays" else (WHOLE, place)
    if inner[0] == "rules":
        inner = ("rules", tree["rules"][inner[1]]["id"], *inner[2:])
    assert (difference.kind, difference.keys) == ("changed", inner)
    assert (difference.scope is None) is (tree is WHOLE)


def rule(name: str, then: str = "review") -> dict[str, Any]:
    return {"id": name, "match": {"label": [name]}, "then": then}


def overlay(*rules: str, **when: Any) -> dict[str, Any]:
    return {"when": when, "rules": [rule(each) for each in rules]}


def test_rules_that_came_went_and_moved_are_told_apart() -> None:
    """
    Of those that stay the fewest count as moved; which rule is looked at next is said of what came and moved.
    """
    before = {"rules": [rule(each) for each in "abcde"]}
    after = {"rules": [rule(each) for each in "eabxd"]}

    assert [(each.kind, each.keys[1], each.follower) for each in found(before, after)] == [
        ("removed", "c", None), ("moved", "e", "a"), ("added", "x", "d"),
    ]  # fmt: skip


def test_a_rule_that_goes_to_an_overlay_is_no_other_rule() -> None:
    """
    It moved, and what changed of it besides is said there.
    """
    before = {"rules": [rule("a"), rule("b")]}
    after = {"rules": [rule("b")], "overlays": [{"when": {"tenant": ["t"]}, "rules": [rule("a", "block")]}]}
    scope = When(tenant=("t",))

    assert found(before, after) == [
        Difference("added", scope, (), None, {}),
        Difference("moved", scope, ("rules", "a"), None, scope),
        Difference("changed", scope, ("rules", "a", "then"), "review", "block"),
    ]


def test_an_overlay_that_is_for_more_is_the_same_overlay() -> None:
    """
    One that is for others is another one.
    """
    before = {"overlays": [overlay("a", tenant=["t", "u"]), overlay("b", purpose=["p"])]}
    after = {"overlays": [overlay("a", tenant=["u", "v"]), overlay("c", purpose=["q"])]}

    assert [(each.kind, each.scope, each.keys) for each in found(before, after)] == [
        ("changed", When(tenant=("u", "v")), ("when", "tenant")),
        ("removed", When(purpose=("p",)), ()),
        ("removed", When(purpose=("p",)), ("rules", "b")),
        ("added", When(purpose=("q",)), ()),
        ("added", When(purpose=("q",)), ("rules", "c")),
    ]


def test_an_overlay_that_stands_elsewhere_is_told() -> None:
    """
    It decides nothing, and the digest is another one.
    """
    one, two = overlay("a", tenant=["t"]), overlay("b", tenant=["u"])

    assert [(each.kind, each.keys) for each in found({"overlays": [one, two]}, {"overlays": [two, one]})] == [
        ("moved", ())
    ]


names = st.sampled_from("abcd")
some_rules = st.lists(names, unique=True, max_size=4)
routes = st.sampled_from([{}, {"high": "review"}, {"low": "review"}])


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Policies of few names, so that two have much in common."""
    ids, sections = draw(st.permutations("abcdefgh")), []
    for _ in range(4):
        count = draw(st.integers(0, 2))
        sections.append([rule(name, draw(st.sampled_from(["block", "review"]))) for name in ids[:count]])
        ids = ids[count:]
    tenants = draw(st.lists(names, unique=True, max_size=4))
    whens: list[dict[str, Any]] = [{"tenant": part} for part in (tenants[:2], tenants[2:]) if part]
    whens += [{"purpose": [draw(names)]}] if draw(st.booleans()) else []
    overlays = [
        {"when": when, "rules": rules, "route": draw(routes)} for when, rules in zip(whens, sections, strict=False)
    ]
    return {"rules": sections[3], "route": draw(routes), "overlays": draw(st.permutations(overlays))}


@settings(max_examples=500)
@given(policies(), policies())
def test_another_digest_has_a_difference_and_the_same_has_none(one: dict[str, Any], two: dict[str, Any]) -> None:
    """
    Each rule that came or went is named once, and what is compared the other way round differs as much.
    """
    there, back = found(one, two), found(two, one)
    ids = [
        {name for each in tree["overlays"] for name in [each["id"] for each in each["rules"]]} for tree in (one, two)
    ]
    before, after = (own | {each["id"] for each in tree["rules"]} for own, tree in zip(ids, (one, two), strict=True))

    assert (there == []) is (policy(one) == policy(two))
    assert sorted(each.keys[1] for each in there if each.kind == "added" and each.keys) == sorted(after - before)
    assert sorted(each.keys[1] for each in there if each.kind == "removed" and each.keys) == sorted(before - after)
    assert (there == []) is (back == [])
