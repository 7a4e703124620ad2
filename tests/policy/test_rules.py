"""Rules and overlays: which findings they are about, which of them wins, and what none of them can do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from consumer.config.problems import explained
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Label, ModerationResult, Verdict
from tests.rig.events import submission

Tree = Mapping[str, Any]


def rule(name: str, then: str, *labels: str, **others: Any) -> Tree:
    """A rule as it stands in a file; what is not of the rule itself is of its `match`."""
    own: dict[str, Any] = {key: others.pop(key) for key in ("pin", "why") if key in others}
    return {"id": name, "match": {**({"label": labels} if labels else {}), **others}, "then": then, **own}


def answer(level: str | None, *labels: tuple[Any, ...], service: str = "a") -> ModerationResult:
    return ModerationResult(
        service=service, request_id="R", risk_level=level, labels=tuple(Label(*label) for label in labels)
    )


def verdict(tree: Tree, *answers: ModerationResult, tenant: str = "t", purpose: str = "p", now: float = 0.0) -> Verdict:
    settings = PolicySettings.model_validate({"policy": "test", "version": 1, **tree})
    about = replace(submission(), tenant=tenant, purpose=purpose)
    return Deciding(Policy(settings=settings, sha256="ab")).decide(about, Assessment(answers=answers), now)


def refusals(tree: Tree) -> list[str]:
    """What is wrong with a policy, each with its key."""
    written = {"policy": "test", "version": 1, **tree}
    try:
        PolicySettings.model_validate(written)
    except ValidationError as error:
        return [f"{'.'.join(each.keys)}: {each.text}" for each in explained(error, PolicySettings, written)]
    return []


def test_the_first_rule_that_matches_decides() -> None:
    """
    Its name is the verdict's reason; what no rule matches follows the route.
    """
    rules = [rule("qr", "review", "QRCode"), rule("all-low", "block", level=["low"])]

    qr, low, high = (
        verdict({"rules": rules}, answer(level, (label, 90.0)))
        for level, label in (("low", "QRCode"), ("low", "pt_logo"), ("high", "violent_gun"))
    )

    assert (qr.decision, qr.reasons[0].rule) == ("review", "qr")
    assert (low.decision, low.reasons[0].rule) == ("block", "all-low")
    assert (high.decision, high.reasons[0].rule) == ("block", "default:high")


@pytest.mark.parametrize(
    ("patterns", "matching", "others"),
    [
        (["violent_*"], ["violent_", "violent_gun"], ["Violent_gun", "aviolent_gun", "violent"]),
        (["*_lib", "!*_tii_lib"], ["a_lib"], ["a_tii_lib", "lib"]),
        (["a*b*c"], ["abc", "axbxc", "abcbc"], ["ab", "acb", "abcd"]),
        (["*a*a*"], ["aa", "xaxax"], ["a", "xax"]),
        (["a.c", "!b"], ["a.c"], ["abc", "b"]),
        (["*"], ["anything", "a\nb"], ["nonLabel", "nonLabel_lib"]),
        (["nonLabel"], ["nonLabel"], ["nonLabel_lib"]),
        (["non*"], ["nonsense"], ["nonLabel", "nonLabel_lib"]),
    ],
)
def test_a_pattern_is_case_sensitive_and_has_stars_only(
    patterns: Sequence[str], matching: Sequence[str], others: Sequence[str]
) -> None:
    """
    What is neither named nor found passes by none: `nonLabel` and the allowlist's hit are matched by their name only.
    """
    tree = {"route": {"none": "pass"}, "rules": [rule("met", "block", *patterns)]}

    def is_met(label: str) -> bool:
        return verdict(tree, answer("none", (label, 50.0))).decision == "block"

    assert [label for label in matching if not is_met(label)] == []
    assert [label for label in others if is_met(label)] == []


def test_a_demoted_label_does_not_hide_a_level_that_nothing_explains() -> None:
    """
    A rule that lets a label pass has no say about the overall level, which is a finding of its own.
    """
    tree = {"rules": [rule("logos", "pass", "pt_logo"), rule("everything", "pass", "*")]}

    assert verdict(tree, answer("high", ("pt_logo", 90.0, "low"))).decision == "block"
    assert verdict(tree, answer("high", ("pt_logo", 90.0, "high"))).decision == "pass"


@pytest.mark.parametrize("level", [None, "severe", ""])
def test_no_rule_lets_an_unknown_level_pass(level: str | None) -> None:
    """
    A level that nobody knows goes to review; a rule may only ask for more.
    """
    passing, blocking = rule("mild", "pass", "new_*"), rule("strict", "block", "new_*")

    assert verdict({"rules": [passing]}, answer(level, ("new_thing", 90.0))).decision == "review"
    assert verdict({"rules": [passing, blocking]}, answer(level, ("new_thing", 90.0))).decision == "block"


def test_a_confidence_that_is_missing_is_in_no_range() -> None:
    """
    The bounds are 85 or more, and less than 85.
    """
    tree = {
        "rules": [
            rule("weak", "review", "x", confidence={"lt": 85}),
            rule("sure", "block", "x", confidence={"gte": 85}),
        ]
    }

    found = {of: verdict(tree, answer("low", ("x", of))).reasons[0].rule for of in (84.99, 85.0, 100.0, 0.0, None)}

    assert found == {84.99: "weak", 85.0: "sure", 100.0: "sure", 0.0: "weak", None: "default:low"}


def test_a_rule_ends_with_its_last_day() -> None:
    """
    Until midnight UTC it matches, then it does not.
    """
    why = {"owner": "trust@example.com", "reason": "art schools", "expires": "2027-06-30"}
    tree = {"rules": [rule("art", "pass", "sexual_*", why=why)]}
    midnight = datetime(2027, 7, 1, tzinfo=UTC).timestamp()

    decisions = [verdict(tree, answer("high", ("sexual_art", 90.0)), now=midnight + by).decision for by in (-0.1, 0)]

    assert decisions == ["pass", "block"]


def test_the_most_specific_overlay_wins() -> None:
    """
    Tenant and purpose before tenant before purpose before the base, setting by setting; rules in the same order.
    """
    tree = {
        "route": {"low": "pass"},
        "rules": [rule("base", "block", "x")],
        "overlays": [
            {"when": {"purpose": ["avatar"]}, "route": {"low": "block", "none": "review"}, "strict_recall": True},
            {"when": {"tenant": ["shop"]}, "route": {"low": "review"}, "rules": [rule("shop", "review", "x")]},
            {"when": {"tenant": ["shop"], "purpose": ["avatar", "banner"]}, "rules": [rule("both", "pass", "x")]},
        ],
    }

    def reached(tenant: str, purpose: str, level: str, label: str) -> tuple[str, str]:
        found = verdict(tree, answer(level, (label, 90.0)), tenant=tenant, purpose=purpose)
        return found.decision, found.reasons[0].rule

    assert reached("other", "other", "low", "x") == ("block", "base")
    assert reached("other", "avatar", "low", "y") == ("block", "default:low")
    assert reached("other", "avatar", "none", "nonLabel") == ("review", "default:none")
    assert reached("shop", "other", "low", "x") == ("review", "shop")
    assert reached("shop", "avatar", "low", "y") == ("review", "default:low")
    assert reached("shop", "banner", "low", "x") == ("pass", "both")
    assert reached("shop", "other", "none", "nonLabel") == ("pass", "default:none")


def test_a_pinned_rule_beats_an_overlay() -> None:
    """
    What it asks for is the least, and the verdict says so.
    """
    tree = {
        "rules": [rule("terror", "block", "violent_*_lib", pin=True)],
        "overlays": [{"when": {"tenant": ["museum"]}, "rules": [rule("art", "pass", "violent_*")]}],
    }

    demoted = verdict(tree, answer("high", ("violent_gun", 90.0)), tenant="museum")
    pinned = verdict(tree, answer("high", ("violent_gun_lib", 90.0)), tenant="museum")

    assert (demoted.decision, demoted.floor) == ("pass", None)
    assert (pinned.decision, pinned.reasons[0].rule, pinned.floor) == ("block", "terror", ("terror", "block"))


def test_a_pinned_rule_makes_nothing_milder() -> None:
    """
    A stricter rule before it decides, and the floor is below.
    """
    tree = {"rules": [rule("all", "block", "x"), rule("some", "review", "x", pin=True)]}

    found = verdict(tree, answer("low", ("x", 90.0)))

    assert (found.decision, found.reasons[0].rule, found.floor) == ("block", "all", ("some", "review"))


def test_an_allowlist_hit_can_be_looked_at() -> None:
    """
    With `allowlist: review`, or by a rule that has its name.
    """
    hit = answer("none", ("nonLabel_lib", 83.0))

    assert verdict({}, hit).decision == "pass"
    assert verdict({"allowlist": "review"}, hit).decision == "review"
    assert verdict({"rules": [rule("listed", "block", "nonLabel_lib")]}, hit).decision == "block"
    assert verdict({"overlays": [{"when": {"tenant": ["t"]}, "allowlist": "review"}]}, hit).decision == "review"


def test_a_rule_can_be_about_one_service() -> None:
    """
    The same label of another service follows the route.
    """
    tree = {"rules": [rule("mild", "pass", "x", service=["aigc*"])]}
    both = [answer("high", ("x", 90.0), service=service) for service in ("aigcDetector", "baseline")]

    assert verdict(tree, both[0]).decision == "pass"
    assert verdict(tree, *both).decision == "block"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            {"rules": [rule("a", "pass", "x"), rule("a", "pass", "y")]},
            "rules.1.id: 'a' is the id of rules.0 already: choose another (P019)",
        ),
        (
            {"overlays": [{"when": {"tenant": [name, "b"]}, "rules": []} for name in "ac"]},
            "overlays.1.when: is as specific as overlays.0, and both can be about one image: take out of one what the "
            "other names (P007)",
        ),
        (
            {"rules": [{**rule("a", "block", "x"), "mode": "shadow", "rollout": 0.5}]},
            "rules.0.rollout: stands beside mode: shadow, which is a rollout to none: remove one (P013)",
        ),
        (
            {"rules": [{**rule("a", "block", "x", pin=True), "mode": "shadow"}]},
            "rules.0.pin: stands beside mode: shadow, and such a rule decides nothing: remove one (P013)",
        ),
        (
            {"rules": [{**rule("a", "block", "x", pin=True), "rollout": 1}]},
            "rules.0.rollout: stands beside pin, which is for every image: remove one (P013)",
        ),
        (
            {"rules": [rule("a", "pass", "x", pin=True)]},
            "rules.0.pin: only block and review can be pinned: remove it (P018)",
        ),
        (
            {"rules": [rule("a", "block", "x", confidence={"gte": 90, "lt": 90})]},
            "rules.0.match.confidence.lt: nothing is 90 or more and less than 90: raise lt, or lower gte (P004)",
        ),
        (
            {"rules": [rule("a", "block", "x", confidence={})]},
            "rules.0.match.confidence.gte: is missing, and so is lt: name one or both (P004)",
        ),
        (
            {"rules": [rule("a", "block", "__overall__")]},
            "rules.0.match.label: __overall__ is what no label explains: it follows route, and no rule is about it: "
            "remove it (P012)",
        ),
        (
            {"rules": [rule("a", "block", "!x")]},
            "rules.0.match.label: names only what is taken away: write '*' before it",
        ),
        ({"rules": [rule("a", "block", "")]}, "rules.0.match.label.0: is empty (given: '')"),
        ({"rules": [rule("unseen_frames", "block", "x")]},
         "rules.0.id: unseen_frames is a reason of the policy's own: choose another"),
        ({"overlays": [{"when": {}}]}, "overlays.0.when.tenant: is missing, and so is purpose: name one or both"),
        (
            {"rules": [{"id": "a", "match": {}, "then": "block"}]},
            "rules.0.match.label: is missing, and so is service, level, confidence, library, figure, logo and context: "
            "name one or more",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(tree: Tree, expected: str) -> None:
    """
    With the key, and what is wrong.
    """
    assert refusals(tree) == [expected]


def test_tenants_without_an_overlay_share_one_policy() -> None:
    """
    Producers may name a million tenants: what is kept is as large as the overlays.
    """
    overlays = [{"when": {"tenant": ["t1", "t2"]}, "strict_recall": True}]
    settings = PolicySettings.model_validate({"policy": "test", "version": 1, "overlays": overlays})
    deciding = Deciding(Policy(settings=settings, sha256="ab"))

    for nth in range(1_000):
        about = replace(submission(), tenant=f"t{nth}", purpose=f"p{nth}")
        deciding.decide(about, Assessment(answers=(answer("low", (f"x{nth}", 1.0)),)), 0.0)

    assert len(deciding._policies._made) == 2
