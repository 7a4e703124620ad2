"""What lint finds in a policy that can be read, code by code, and what it lets be."""

from datetime import date
from typing import Any

import pytest

from consumer.config import Config
from consumer.policy.lint import Before, Beside, concerns
from consumer.policy.schema import PolicySettings

TODAY = date(2026, 11, 27)
TWO = ["baselineCheck_global", "aigcDetector_global"]
SWIM = {"tenant": ["swim"]}
KISS = {"label": ["sexual_kiss"]}


def settings(**tree: Any) -> PolicySettings:
    return PolicySettings.model_validate({"policy": "shop", "version": 2, **tree})


def rule(name: str, then: str, **match: Any) -> dict[str, Any]:
    why = {"owner": "o", "reason": "r", "expires": "2027-06-30"}
    return {"id": name, "match": match, "then": then, **({"why": why} if then == "pass" else {})}


def found(policy: PolicySettings, code: str, beside: Beside) -> list[str]:
    return [f"{'.'.join(each.keys)}: {each.text}" for each in concerns(policy, TODAY, beside) if each.code == code]


@pytest.mark.parametrize(
    ("first", "second", "is_hidden"),
    [
        ({"library": ["a"]}, {}, False),
        ({"library": ["a"]}, {"library": ["b"]}, False),
        ({"library": ["a", "b"]}, {"library": ["b"]}, True),
        ({}, {"library": ["b"]}, True),
        ({"logo": ["x"]}, {}, False),
        ({"logo": ["x", "y"]}, {"logo": ["x"]}, True),
        ({"figure": True}, {}, False),
        ({"figure": True}, {"figure": True}, True),
        ({"context": {"trust": ["new"]}}, {}, False),
        ({"context": {"trust": ["new", "old"]}}, {"context": {"trust": ["new"]}}, True),
        ({"context": {"trust": ["new"]}}, {"context": {"trust": ["new", "old"]}}, False),
        ({"context": {"trust": ["new"]}}, {"context": {"age": ["new"]}}, False),
        ({"context": {"trust": ["new"]}}, {"context": {"trust": ["new"], "age": [1]}}, True),
        ({"context": {"age": [1]}}, {"context": {"age": [True]}}, False),
    ],
)
def test_a_condition_more_hides_nothing(first: dict[str, Any], second: dict[str, Any], is_hidden: bool) -> None:
    """
    P003: a rule hides another only where each condition of its own is the other's too.
    """
    policy = settings(
        info=["customImage", "textInImage", "publicFigure", "logoData"],
        record_context=["trust", "age"],
        rules=[rule("a", "review", label=["*"], **first), rule("b", "review", label=["*_lib"], **second)],
    )

    assert bool(found(policy, "P003", Beside())) is is_hidden


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"services": TWO}, {}, []),
        ({}, {"services": TWO[1:]},
         ["services: adds aigcDetector_global: calls and cost stay at 1 an image"]),
        ({"services": [*TWO, "c"]}, {"services": ["d"]},
         ["services: adds d: calls and cost fall from 3 to 1 an image (-67%)"]),
        ({}, {"overlays": [{"when": {"tenant": ["a", "b"], "purpose": ["c"]}, "services": TWO}]},
         ["overlays.0.services: adds aigcDetector_global for tenant a, purpose c: "
          "calls and cost grow from 1 to 2 an image (+100%)"]),
        ({"overlays": [{"when": SWIM, "services": TWO[:1]}], "services": TWO}, {"services": TWO},
         ["services: adds aigcDetector_global for tenant swim: calls and cost grow from 1 to 2 an image (+100%)"]),
        ({"overlays": [{"when": SWIM, "services": TWO}]}, {"services": TWO},
         ["services: adds aigcDetector_global: calls and cost grow from 1 to 2 an image (+100%)"]),
        ({}, {"services": TWO, "overlays": [{"when": SWIM, "services": TWO[:1]}]},
         ["services: adds aigcDetector_global: calls and cost grow from 1 to 2 an image (+100%)"]),
    ],
)  # fmt: skip
def test_what_is_called_more_is_told_once(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    """
    P017: for all, or for whom it is; also where it is because an overlay went.
    """
    assert found(settings(**after), "P017", Beside(before=Before(settings(**before), says_the_same=False))) == expected


@pytest.mark.parametrize(
    ("base", "overlay", "sources", "is_told"),
    [
        ({}, {"when": SWIM, "rules": [rule("a", "pass", **KISS)]}, {}, True),
        ({}, {"when": SWIM, "rules": [rule("a", "pass", **KISS, level=["low", "none"])]}, {}, False),
        ({"strict_recall": True}, {"when": SWIM, "rules": [rule("a", "pass", **KISS, level=["low"])]}, {}, True),
        ({"rules": [rule("b", "block", label=["sexual_*"])]},
         {"when": SWIM, "rules": [rule("a", "review", **KISS, level=["low"])]}, {}, True),
        ({"rules": [rule("b", "block", label=["violent_*"])]},
         {"when": SWIM, "rules": [rule("a", "review", **KISS, level=["low"])]}, {}, False),
        ({}, {"when": SWIM, "rules": [{**rule("a", "pass", **KISS), "mode": "shadow"}]}, {}, False),
        ({}, {"when": SWIM, "rules": [rule("a", "block", **KISS)], "strict_recall": True}, {}, False),
        ({"allowlist": "review"},
         {"when": SWIM, "rules": [rule("a", "pass", label=["nonLabel_lib"], level=["none"])]}, {}, True),
        ({"route": {"low": "review"}}, {"when": SWIM, "route": {"low": "pass"}}, {}, True),
        ({"on_error": {"fetch": "block"}}, {"when": SWIM, "on_error": {"fetch": "review"}}, {}, True),
        ({"allowlist": "review"}, {"when": SWIM, "allowlist": "pass"}, {}, True),
        ({"unseen_frames": "review"}, {"when": SWIM, "unseen_frames": "pass"}, {}, True),
        ({"services": TWO}, {"when": SWIM, "services": TWO[:1]}, {}, True),
        ({"services": TWO}, {"when": SWIM, "services": [*TWO, "c"]}, {}, False),
        ({"services": TWO}, {"when": SWIM, "services": TWO[:1]}, {"tenants": ["swim", "art-*"]}, False),
        ({"services": TWO}, {"when": SWIM, "services": TWO[:1]}, {"tenants": ["*"]}, True),
        ({"services": TWO}, {"when": SWIM, "services": TWO[:1]}, {"purposes": ["p"]}, True),
        ({"services": TWO}, {"when": {**SWIM, "purpose": ["p"]}, "services": TWO[:1]}, {"purposes": ["p"]}, False),
    ],
)  # fmt: skip
def test_what_is_milder_for_whoever_says_so_is_told(
    base: dict[str, Any], overlay: dict[str, Any], sources: dict[str, Any], is_told: bool
) -> None:
    """
    P020: an overlay that is milder than the base in anything, where no topic's `sources` bind what it is for.
    """
    config = Config.model_validate(
        {"sources": {"uploads": sources} if sources else {}, "kafka": {"topics": ["uploads"]}}
    )

    assert bool(found(settings(**base, overlays=[overlay]), "P020", Beside(config=config))) is is_told


@pytest.mark.parametrize(("kept", "is_told"), [("all", False), ("none", True), (["trust"], False), (["country"], True)])
def test_context_that_is_not_kept_is_told(kept: Any, is_told: bool) -> None:
    """
    P021.
    """
    config = Config.model_validate({"privacy": {"context": kept}})

    assert bool(found(settings(record_context=["trust"]), "P021", Beside(config=config))) is is_told


def test_a_label_is_looked_up_for_the_services_that_can_answer_it() -> None:
    """
    P002: unsafe where all of these are listed; a warning where one is not, such as an overlay's.
    """
    overlay = {"when": {"purpose": ["avatar"]}, "services": TWO, "rules": [rule("b", "review", label=["aigc"])]}
    tree: dict[str, Any] = {
        "rules": [rule("a", "review", label=["aigc"], service=["baseline*"])],
        "overlays": [overlay],
    }

    kinds = {each.keys[0]: each.kind for each in concerns(settings(**tree), TODAY, Beside()) if each.code == "P002"}

    assert kinds == {"rules": "unsafe", "overlays": "warning"}
