"""Rules in shadow, and rules that are rolled out to a share of images: what they change, and what they never do."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from consumer.locations import Image, ObjectRef
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Decision, Failure, Label, ModerationResult, Trial, Verdict
from consumer.rollout import identity_of, is_in_share
from tests.rig.events import submission
from tests.rig.speed import calls_of

MANY = 100_000
IDENTITIES = [f"event:{number}/0" for number in range(MANY)]


def rule(name: str, then: str, label: str, **others: Any) -> Mapping[str, Any]:
    return {"id": name, "match": {"label": [label]}, "then": then, **others}


def deciding(*rules: Mapping[str, Any], **others: Any) -> Deciding:
    settings = PolicySettings.model_validate({"policy": "test", "version": 1, "rules": rules, **others})
    return Deciding(Policy(settings=settings, sha256="ab"))


def assessed(level: str | None, *labels: tuple[Any, ...], sha256: str | None = None) -> Assessment:
    answered = ModerationResult(
        service="a", request_id="R", risk_level=level, labels=tuple(Label(*each) for each in labels)
    )
    return Assessment(answers=(answered,), sha256=sha256)


def decided(rules: list[Mapping[str, Any]], assessment: Assessment) -> Verdict:
    return deciding(*rules).decide(submission(), assessment, 0.0)


def test_a_rollout_takes_its_share_of_images() -> None:
    """
    A tenth of 100,000 within a tenth of that, the same ones every time, and with another rule's id others.
    """
    taken = {name: [is_in_share(0.1, name, each) for each in IDENTITIES] for name in ("logos", "qr")}

    assert [is_in_share(0.1, "logos", each) for each in IDENTITIES] == taken["logos"]
    for name in taken:
        assert abs(sum(taken[name]) / MANY - 0.1) <= 0.01
    both = sum(one and other for one, other in zip(taken["logos"], taken["qr"], strict=True))
    assert abs(both / MANY - 0.01) <= 0.005


def test_a_larger_share_has_all_of_a_smaller_one() -> None:
    """
    Whoever raises it changes nothing for those who are in it; none and all are what they say.
    """
    some = IDENTITIES[:10_000]
    shares = [[is_in_share(share, "logos", each) for each in some] for share in (0.0, 0.1, 0.5, 1.0)]

    assert not any(shares[0])
    assert all(shares[-1])
    for small, large in pairwise(shares):
        assert all(later for earlier, later in zip(small, large, strict=True) if earlier)


@pytest.mark.parametrize(("rule_id", "identity"), [("logos", "event:e-1/0"), ("a.b", "version:ugc/ä b.jpg@7")])
def test_who_is_in_a_rollout_can_be_worked_out_elsewhere(rule_id: str, identity: str) -> None:
    """
    From a verdict's `identity`: the first 53 bits of the SHA-256 of the rule's id, a zero byte and it.
    """
    bits = int(hashlib.sha256(rule_id.encode() + b"\0" + identity.encode()).hexdigest(), 16) >> (256 - 53)
    place = bits / 2**53

    assert not is_in_share(place, rule_id, identity)
    assert is_in_share(place + 2**-53, rule_id, identity)


VERSIONED = ObjectRef(store="s3", bucket="ugc", key="a b.jpg", version="v7", etag="e")


@pytest.mark.parametrize(
    ("ref", "sha256", "expected"),
    [
        (None, None, "event:event-1/0"),
        (VERSIONED, None, "version:ugc/a b.jpg@v7"),
        (VERSIONED, "9f" * 32, f"sha256:{'9f' * 32}"),
        (replace(VERSIONED, version=None), None, "event:event-1/0"),
        (replace(VERSIONED, version="null"), None, "event:event-1/0"),
    ],
)
def test_an_image_is_known_by_what_its_uploader_cannot_choose(
    ref: ObjectRef | None, sha256: str | None, expected: str
) -> None:
    """
    By the bytes that this service had, else by the object's version, else by its event; a version that S3 calls `null`
    can be written again, and is none.
    """
    about = replace(submission(), image=Image(id="0", ref=ref))

    assert identity_of(about, Assessment(sha256=sha256)) == expected


def test_a_hash_that_an_event_claims_moves_no_image_out_of_a_rollout() -> None:
    """
    Whoever uploads could try out claims until one is in no share: a thousand of them lead to one decision.
    """
    policy = deciding(rule("logos", "block", "pt_logo", rollout=0.5))
    about = [replace(submission(), image=Image(id="0", sha256_claimed=f"{claim:064x}")) for claim in range(1_000)]

    assert len({policy.decide(each, assessed("low", ("pt_logo", 9.0)), 0.0).decision for each in about}) == 1


def test_a_rule_in_shadow_decides_nothing_and_says_what_it_would_have_changed() -> None:
    """
    The decision and the reasons are those without it; where all is the same, nothing is said.
    """
    rules = [rule("qr", "block", "QRCode", mode="shadow"), rule("logos", "review", "pt_logo")]

    changed = decided(rules, assessed("low", ("QRCode", 90.0), ("pt_logo", 80.0)))
    same = decided(rules, assessed("high", ("QRCode", 90.0)))

    assert (changed.decision, [each.rule for each in changed.reasons]) == ("review", ["logos"])
    assert changed.trial == Trial(Decision.BLOCK, ("qr",))
    assert (same.decision, same.trial) == ("block", None)


def test_a_rule_in_shadow_can_be_milder() -> None:
    """
    Then it names the rules without which the image would not pass, and none that only matched.
    """
    rules = [
        rule("art", "pass", "sexual_*", mode="shadow"),
        rule("guns", "pass", "violent_*", mode="shadow"),
        rule("qr", "review", "QRCode", mode="shadow"),
    ]

    one = decided(rules, assessed("high", ("sexual_art", 90.0), ("QRCode", 1.0, "low")))
    both = decided(rules, assessed("high", ("sexual_art", 90.0), ("violent_gun", 90.0)))

    assert (one.decision, one.trial) == ("block", Trial(Decision.REVIEW, ("art",)))
    assert (both.decision, both.trial) == ("block", Trial(Decision.PASS, ("art", "guns")))


def test_a_pin_holds_whatever_is_in_shadow() -> None:
    """
    A rule in shadow before it hides neither the decision nor the floor, and would not.
    """
    rules = [rule("mild", "pass", "x", mode="shadow"), rule("least", "review", "x", pin=True)]

    pinned = decided(rules, assessed("high", ("x", 90.0)))

    assert (pinned.decision, pinned.floor, pinned.trial) == ("review", ("least", "review"), None)


def test_what_could_not_be_judged_is_no_matter_of_rules() -> None:
    """
    A service that failed, and frames that were not looked at, are reviewed whatever a rule in shadow lets pass.
    """
    mild = rule("mild", "pass", "x", mode="shadow")
    found = assessed("high", ("x", 90.0))
    failed = replace(found, failure=Failure(kind="fetch", code="404"))

    reached = [
        deciding(mild).decide(submission(), failed, 0.0),
        deciding(mild, unseen_frames="review").decide(submission(), found, 0.0),
    ]

    for each in reached:
        assert (each.decision, each.trial) == ("block", Trial(Decision.REVIEW, ("mild",)))


def test_a_rollout_decides_for_its_images_and_is_in_shadow_for_the_others() -> None:
    """
    The reason is the rule, or `trial` has it: never both.
    """
    policy = deciding(rule("logos", "review", "pt_logo", rollout=0.3))
    reached = [
        policy.decide(replace(submission(), event_id=str(number)), assessed("low", ("pt_logo", 9.0)), 0.0)
        for number in range(1_000)
    ]

    taken = [is_in_share(0.3, "logos", f"event:{number}/0") for number in range(1_000)]
    assert [each.decision == "review" for each in reached] == taken
    assert [each.trial is None for each in reached] == taken


def calls_of_a_decision(rules: int, **ways: Any) -> int:
    """
    The most functions that a decision calls, once its labels were seen, by a policy of so many rules and overlays.
    """
    few = [rule(f"r{number}", "review", f"x{number}_*", **ways) for number in range(rules - 1)]
    overlays = [
        {"when": {"tenant": [f"t{number}"]}, "rules": [rule(f"o{number}", "review", "zz", **ways)]}
        for number in range(rules)
    ]
    policy = deciding(*few, rule("logos", "review", "pt_*", **ways), overlays=overlays)
    found = assessed("low", ("pt_logo", 90.0))
    about = [replace(submission(), tenant=f"t{number % rules}", event_id=str(number)) for number in range(100)]
    for each in about:
        policy.decide(each, found, 0.0)
    return max(calls_of(partial(policy.decide, each, found, 0.0)) for each in about)


@pytest.mark.parametrize("ways", [{}, {"mode": "shadow"}, {"rollout": 0.1}])
def test_a_decision_costs_as_much_with_fifty_rules_as_with_two(ways: Mapping[str, Any]) -> None:
    """
    Once the labels were seen; also where all rules are in shadow or in a rollout.
    """
    assert calls_of_a_decision(50, **ways) == calls_of_a_decision(2, **ways) < 150
