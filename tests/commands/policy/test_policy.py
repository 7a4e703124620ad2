"""`policy lint`, `policy test` and `policy explain` as those who own a policy meet them."""

import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.commands.policy import explaining, linting
from consumer.errors import Misconfigured
from consumer.policy.lint import Beside, concerns
from consumer.policy.schema import PolicySettings, load_policy
from consumer.policy_files import fixtures
from tests.commands.cli import command
from tests.rig.replica import ROOT

WHY = {"owner": "trust@example.com", "reason": "an art school"}
TODAY = date(2026, 11, 27)


def linted(**tree: Any) -> dict[str, str]:
    """What is probably not meant in a policy whose rules are all tested: code and kind by key."""
    settings = PolicySettings.model_validate({"policy": "test", "version": 1, **tree})
    found = concerns(settings, TODAY, Beside(tested={rule.id for rule in settings.rules}))
    return {".".join(each.keys): f"{each.code} {each.kind}" for each in found}


def rule(name: str, then: str, **match: Any) -> dict[str, Any]:
    own: dict[str, Any] = {key: match.pop(key) for key in ("why", "mode", "rollout", "pin") if key in match}
    return {"id": name, "match": match, "then": then, **own}


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"rules": [rule("a", "review", label=["pt_logoo"])]}, {"rules.0.match.label.0": "P002 unsafe"}),
        ({"rules": [rule("a", "review", label=["*", "!pt_logoo"])]}, {"rules.0.match.label.1": "P002 unsafe"}),
        ({"rules": [rule("a", "review", label=["pt_logoo"])], "services": ["aigcDetector"]},
         {"rules.0.match.label.0": "P002 warning"}),
        ({"rules": [rule("a", "review", label=["pt_logoo"])], "catalogue_extra": ["pt_logoo"]}, {}),
        ({"rules": [rule("a", "review", label=["pt_logo", "violent_*_lib", "*_tii_lib"])]}, {}),
        ({"rules": [rule("a", "review", label=["violnt_*"])]}, {"rules.0.match.label.0": "P002 warning"}),
        ({"rules": [rule("a", "review", label=["nonLabel"], confidence={"lt": 50})]},
         {"rules.0.match.confidence": "P005 warning"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"])]}, {"rules.0.then": "P006 unsafe"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], level=["low", "none"])]}, {}),
        ({"rules": [rule("a", "pass", label=["*"], level=["low"])]}, {"rules.0.then": "P006 unsafe"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], why=WHY)]}, {"rules.0.then": "P006 unsafe"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], why={**WHY, "expires": TODAY + timedelta(31)})]}, {}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], why={**WHY, "expires": TODAY + timedelta(30)})]},
         {"rules.0.why.expires": "P006 warning"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], why={**WHY, "expires": TODAY})]},
         {"rules.0.why.expires": "P006 warning"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], why={**WHY, "expires": TODAY - timedelta(1)})]},
         {"rules.0.why.expires": "P006 unsafe"}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], mode="shadow")]}, {}),
        ({"rules": [rule("a", "pass", label=["pt_logo"], rollout=0.1)]}, {"rules.0.then": "P006 unsafe"}),
        ({"route": {"high": "review"}}, {"route.high": "P008 unsafe"}),
        ({"route": {"medium": "pass"}, "acknowledge_vendor_advice": True}, {}),
        ({"overlays": [{"when": {"tenant": ["a"]}, "route": {"medium": "pass"}}]},
         {"overlays.0.route.medium": "P008 unsafe"}),
    ],
)  # fmt: skip
def test_each_concern_has_a_file_that_raises_it(tree: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    """
    And one beside it that does not.
    """
    assert linted(**tree) == expected


@pytest.mark.parametrize(
    ("first", "second", "is_hidden"),
    [
        (rule("a", "review", label=["sexual_*"]), rule("b", "block", label=["sexual_kiss"]), True),
        (rule("a", "review", label=["sexual_*"]), rule("b", "block", label=["sexual_k*"]), True),
        (rule("a", "review", label=["sexual_k*"]), rule("b", "block", label=["sexual_*"]), False),
        (rule("a", "review", label=["*"]), rule("b", "block", label=["nonLabel"]), False),
        (rule("a", "review", label=["*", "!*_lib"]), rule("b", "block", label=["sexual_*"]), False),
        (rule("a", "review", label=["*", "!*_lib"]), rule("b", "block", label=["sexual_*", "!*_lib"]), True),
        (rule("a", "review", level=["low"]), rule("b", "block", label=["pt_logo"]), False),
        (rule("a", "review", level=["low", "high"]), rule("b", "block", label=["pt_logo"], level=["high"]), True),
        (rule("a", "review", confidence={"gte": 50}), rule("b", "block", confidence={"gte": 50, "lt": 60}), True),
        (rule("a", "review", confidence={"gte": 50}), rule("b", "block", confidence={"lt": 60}), False),
        (rule("a", "review", confidence={"gte": 0}), rule("b", "block", label=["pt_logo"]), False),
        (rule("a", "review", service=["x"]), rule("b", "block", label=["pt_logo"]), False),
        (rule("a", "review", label=["*"]), rule("b", "block", label=["*"], service=["x"]), True),
        (rule("a", "review", label=["pt_logo"], why={**WHY, "expires": "2027-06-30"}),
         rule("b", "block", label=["pt_logo"]), False),
        (rule("a", "pass", label=["pt_logo"], level=["low"]), rule("b", "review", label=["pt_logo"]), False),
        (rule("a", "review", label=["*"], mode="shadow"), rule("b", "block", label=["pt_logo"]), False),
        (rule("a", "review", label=["*"], rollout=0.9), rule("b", "block", label=["pt_logo"]), False),
        (rule("a", "review", label=["*"], rollout=1), rule("b", "block", label=["pt_logo"]), True),
        (rule("a", "review", label=["*"], pin=True), rule("b", "block", label=["pt_logo"]), False),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_decide_is_found(first: dict[str, Any], second: dict[str, Any], is_hidden: bool) -> None:
    """
    P003: where the one before it matches all that it does, for every image; a pinned one counts all the same.
    """
    pinned = {**second, "pin": True}

    assert ("P003 unsafe" in linted(rules=[first, second]).values()) is is_hidden
    assert "P003 unsafe" not in linted(rules=[first, pinned]).values()


@pytest.mark.parametrize(
    ("ways", "tested", "is_told"),
    [
        ({}, (), True),
        ({}, ("a",), False),
        ({"rollout": 0.1}, (), True),
        ({"rollout": 0.1}, ("a",), False),
        ({"mode": "shadow"}, (), False),
    ],
)
def test_a_rule_that_blocks_should_have_a_test(ways: dict[str, Any], tested: tuple[str, ...], is_told: bool) -> None:
    """
    P014: not one in shadow, which blocks nothing.
    """
    tree = {"policy": "test", "version": 1, "rules": [rule("a", "block", label=["pt_logo"], **ways)]}

    found = concerns(PolicySettings.model_validate(tree), TODAY, Beside(tested=tested))

    assert [each.code for each in found] == (["P014"] if is_told else [])


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy with a rule and a test that it passes."""
    file = tmp_path / "policy.yaml"
    file.write_text(
        "policy: img-mod\n"
        "version: 7\n"
        "rules:\n"
        "  - id: swim\n"
        "    match: {label: [sexual_femaleUnderwear], confidence: {lt: 95}}\n"
        "    then: block\n"
    )  # fmt: skip
    (tmp_path / "policy.tests.yaml").write_text(
        "- name: it is blocked\n"
        "  answer: {RiskLevel: low, Result: [{Label: sexual_femaleUnderwear, Confidence: 91}]}\n"
        "  decision: block\n"
        "  rules: [swim]\n"
    )  # fmt: skip
    return file


async def test_a_sound_policy_is_linted_and_tested(policy: Path) -> None:
    """
    Both say so, and end with 0.
    """
    linted = await command("policy", "lint", str(policy))
    tested = await command("policy", "test", str(policy))

    assert (linted.status, linted.output) == (0, f"{policy}: nothing is wrong\n")
    assert (tested.status, tested.output) == (0, "✓ it is blocked\n1 tests: all passed\n")


async def test_a_test_that_fails_says_what_was_expected_and_where_it_stands(policy: Path) -> None:
    """
    Exit 1.
    """
    policy.write_text(policy.read_text().replace("then: block", "then: review"))

    tested = await command("policy", "test", str(policy))

    assert tested.status == 1
    assert tested.output == (
        f"✗ it is blocked  ({policy.parent / 'policy.tests.yaml'}:1)\n"
        "    decision: expected block, got review (by swim)\n"
        "1 tests: 1 failed\n"
    )


async def test_what_the_service_refuses_is_broken(policy: Path) -> None:
    """
    In the same words, with its code, and exit 2.
    """
    policy.write_text(policy.read_text().replace("then: block", "then: pass\n    pin: true") + "on_errors: {}\n")

    with pytest.raises(Misconfigured) as refused:
        load_policy(policy)
    ended = await command("policy", "lint", str(policy))

    assert ended.status == 2
    assert ended.output.splitlines() == [
        f"✗ P018 broken   {policy}:7: rules.0.pin: only block and review can be pinned: remove it",
        f"✗ P001 broken   {policy}:8: on_errors: is not a setting; did you mean on_error?",
        f"{policy}: 2 broken",
    ]
    assert [re.sub(r" \(P...\)", "", problem) for problem in refused.value.problems] == [
        line.split("broken   ")[1] for line in ended.output.splitlines()[:2]
    ]


async def test_what_the_service_warns_of_at_its_start_is_a_warning(policy: Path) -> None:
    """
    In the same words; it is no failure.
    """
    policy.write_text(policy.read_text() + "info: [publicFigure]\n")
    [warned] = load_policy(policy).warnings

    ended = await command("policy", "lint", str(policy))

    assert (ended.status, ended.output.splitlines()) == (0, [f"! P022 warning  {warned}", f"{policy}: 1 warning"])
    assert warned.startswith(f"{policy}:7: info: publicFigure needs an advanced service")


def test_what_is_unsafe_is_told_in_the_order_of_the_file(policy: Path) -> None:
    """
    With line and code; a warning alone is no failure.
    """
    policy.write_text("route: {high: review}\n" + policy.read_text() + "  - {id: b, match: {label: [x]}, then: pass}\n")
    (policy.parent / "policy.tests.yaml").write_text("[]\n")

    found = linting.lint(policy)

    assert [(each.code, each.kind, each.line) for each in found] == [
        ("P008", "unsafe", 1),
        ("P014", "warning", 5),
        ("P002", "unsafe", 8),
        ("P006", "unsafe", 8),
    ]
    assert linting.exit_status(found) == 1
    assert linting.exit_status(found[1:2]) == 0


def test_a_version_must_rise_with_every_change(policy: Path, tmp_path: Path) -> None:
    """
    P016 and P017 compare with the policy before; the same policy needs no other version.
    """
    base = tmp_path / "base.yaml"
    base.write_text(policy.read_text())
    same = linting.lint(policy, linting.Options(base=base))
    policy.write_text(policy.read_text() + "services: [baselineCheck_global, aigcDetector_global]\n")

    changed = linting.lint(policy, linting.Options(base=base))

    assert same == []
    assert [(each.code, each.kind) for each in changed] == [("P016", "unsafe"), ("P017", "warning")]
    assert "adds aigcDetector_global: calls and cost grow from 1 to 2 an image (+100%)" in changed[1].text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{}\n", ": must hold a list, holds a mapping"),
        ("", ": must hold a list, holds nothing"),
        ("- {name: a, decision: block}\n", ":1: tests.0.answer: is missing, and so is answers and failure: name one"),
        ("- {name: a, failure: weather, decision: block}\n",
         ":1: tests.0.failure: must be one of fetch, image, input, malformed, provider, account, clock, internal"),
        ("- {name: a, answer: {x: 1}, answers: {y: {x: 1}}, decision: block}\n",
         ":1: tests.0.answers: stands beside answer: name one of the two"),
        ("- {name: a, answer: {x: 1}, decision: blok}\n",
         ":1: tests.0.decision: must be one of block, review, pass (given: 'blok'); did you mean block?"),
    ],
)  # fmt: skip
def test_tests_that_cannot_be_read_are_refused(policy: Path, written: str, expected: str) -> None:
    """
    With file, line and key.
    """
    tests = policy.with_name("policy.tests.yaml")
    tests.write_text(written)

    with pytest.raises(Misconfigured) as refused:
        fixtures.run(policy, None)

    assert refused.value.problems == (f"{tests}{expected}",)


def test_a_policy_without_tests_is_no_success(policy: Path) -> None:
    """
    A pipeline that forgets them would be green for ever.
    """
    policy.with_name("policy.tests.yaml").unlink()

    with pytest.raises(Misconfigured, match="does not exist; name the tests with --tests"):
        fixtures.run(policy, None)


@pytest.mark.parametrize(
    ("test", "differences"),
    [
        ({"answer": {"RiskLevel": "high", "Result": []}, "decision": "block"},
         ("the answer is not one that the service accepts: malformed Result",)),
        ({"failure": "fetch", "decision": "block"}, ("decision: expected block, got review (by on_error.fetch)",)),
        ({"failure": "image", "decision": "review"}, ()),
        ({"answer": {"RiskLevel": "none", "Result": [{"Label": "nonLabel"}]}, "frames": [1, 9], "decision": "review"},
         ()),
        ({"answer": {"RiskLevel": "none", "Result": [{"Label": "nonLabel"}]}, "frames": [1, 1], "decision": "pass",
          "rules": ["default:none"]}, ()),
        ({"answers": {"a": {"RiskLevel": "none", "Result": [{"Label": "nonLabel"}]},
                      "b": {"RiskLevel": "high", "Result": [{"Label": "x"}]}},
          "frames": [1, 1], "decision": "block", "rules": ["swim"]},
         ("rules: expected swim, got default:high",)),
        ({"on": "2027-07-01", "event": {"tenant": "shop", "purpose": "p"}, "frames": [1, 1], "decision": "block",
          "answer": {"RiskLevel": "high", "Result": [{"Label": "pt_logo"}]}}, ()),
    ],
)  # fmt: skip
def test_a_test_decides_as_the_service_does(policy: Path, test: dict[str, Any], differences: tuple[str, ...]) -> None:
    """
    Answers are accepted, failures and frames routed, tenants and days looked at as there.
    """
    policy.write_text(
        policy.read_text()
        + "unseen_frames: review\n"
        + "overlays:\n"
        + "  - when: {tenant: [shop]}\n"
        + "    rules: [{id: old, match: {label: [pt_logo]}, then: pass, "
        + "why: {owner: o, reason: r, expires: 2027-06-30}}]\n"
    )
    policy.with_name("policy.tests.yaml").write_text(yaml.safe_dump([{"name": "t", **test}]))

    (ended,) = fixtures.run(policy, None)

    assert ended.differences == differences


def test_a_block_that_the_breaker_held_back_is_explained_as_one(policy: Path, tmp_path: Path) -> None:
    """
    The verdict's review is the breaker's, and what the policy makes of it is a block.
    """
    written = {
        "tenant": "t", "purpose": "p", "decision": "review", "decided_by": "breaker", "omitted": [], "error": None,
        "coverage": None, "timing": {"decided": "2026-11-27T12:00:00.000Z"},
        "policy": {"id": "other", "version": 3, "sha256": "ab"},
        "findings": [{"service": "s", "label": "violent_bloody", "confidence": 97, "level": "high"}],
    }  # fmt: skip
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps(written))

    said = explaining.explain(policy, verdict).splitlines()

    assert said[1] == "it was blocked, and the breaker of blocks made a review of it: what follows is the policy's"
    assert said[-1].endswith("the strictest of these: block.")


def test_a_verdict_is_explained_rule_by_rule(policy: Path, tmp_path: Path) -> None:
    """
    What each rule was about, why it did not match, and what the policy makes of all.
    """
    policy.write_text(
        policy.read_text()
        + "  - {id: sure, match: {label: [sexual_*], level: [high, medium]}, then: review}\n"
        + "  - {id: pinned, match: {label: [sexual_*]}, then: block, pin: true}\n"
    )
    written = {
        "tenant": "t", "purpose": "p", "decision": "review", "omitted": [], "error": None, "coverage": None,
        "timing": {"decided": "2026-11-27T12:00:00.000Z"},
        "policy": {"id": "other", "version": 3, "sha256": "ab"},
        "findings": [
            {"service": "s", "label": "sexual_femaleUnderwear", "confidence": 97, "level": "high"},
            {"service": "s", "label": "__overall__", "confidence": None, "level": "high"},
        ],
    }  # fmt: skip
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps(written))

    assert explaining.explain(policy, verdict).splitlines() == [
        "decided: review, by other version 3; this policy is another one",
        "",
        "sexual_femaleUnderwear (s): level high, confidence 97 → block by pinned",
        "    ✗ swim (→ block): the confidence is 97, not 0 or more and less than 95",
        "    ✓ sure (→ review): matches",
        "    ✓ pinned (→ block, pinned): matches",
        "",
        "__overall__ (s): level high → block by default:high",
        "    ✗ swim (→ block): no rule is about a level which no label explains",
        "    ✗ sure (→ review): no rule is about a level which no label explains",
        "    ✗ pinned (→ block, pinned): no rule is about a level which no label explains",
        "",
        f"By {policy}, the strictest of these: block.",
    ]


@pytest.mark.parametrize(
    ("frames", "unseen_frames", "expected"),
    [
        ([1, 9], "review", "review"),
        ([1, None], "review", "review"),
        ([9, 9], "review", "pass"),
        ([1, 9], "pass", "pass"),
    ],
)
def test_what_was_not_looked_at_is_explained_by_this_policy(
    policy: Path, tmp_path: Path, frames: list[int | None], unseen_frames: str, expected: str
) -> None:
    """
    Whatever the policy said of it that decided; and so is a service that could not answer.
    """
    policy.write_text(policy.read_text() + f"unseen_frames: {unseen_frames}\n")
    written = {
        "tenant": "t", "purpose": "p", "decision": "review", "omitted": [], "error": None,
        "coverage": {"frames": frames, "scaled": False}, "timing": {"decided": "2026-11-27T12:00:00.000Z"},
        "policy": {"id": "other", "version": 3, "sha256": "ab"},
        "findings": [
            {"service": "s", "label": "nonLabel", "confidence": None, "level": "none"},
            {"service": "s", "label": "__unseen_frames__", "confidence": None, "level": "unknown"},
        ],
    }  # fmt: skip
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps(written))
    failed = tmp_path / "failed.json"
    failed.write_text(json.dumps({**written, "error": {"class": "fetch", "code": "404", "service": "s"}}))

    assert explaining.explain(policy, verdict).splitlines()[-1].endswith(f"the strictest of these: {expected}.")
    assert "A service could not answer (fetch) → review by on_error.fetch" in explaining.explain(policy, failed)


@pytest.mark.parametrize("identity", [{}, {"identity": None}, {"identity": "event:e/0"}])
def test_rules_that_do_not_count_are_explained(policy: Path, tmp_path: Path, identity: dict[str, Any]) -> None:
    """
    Whether they are in shadow, or rolled out to other images; and what would be decided did they count.
    """
    policy.write_text(
        "policy: img-mod\nversion: 7\nrules:\n"
        "  - {id: qr, match: {label: [QRCode]}, then: block, mode: shadow}\n"
        "  - {id: some, match: {label: [QRCode]}, then: block, rollout: 0}\n"
        "  - {id: few, match: {label: [QRCode]}, then: block, rollout: 1.0e-9}\n"
        "  - {id: all, match: {label: [QRCode]}, then: review, rollout: 1}\n"
    )
    written = {
        "tenant": "t", "purpose": "p", "decision": "review", "omitted": [], "error": None, "coverage": None,
        "timing": {"decided": "2026-11-27T12:00:00.000Z"}, "policy": {"id": "o", "version": 3, "sha256": "ab"},
        "findings": [{"service": "s", "label": "QRCode", "confidence": 97, "level": "low"}], **identity,
    }  # fmt: skip
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps(written))

    _, *said = explaining.explain(policy, verdict).splitlines()
    if not identity.get("identity"):
        assert said.pop(0) == "it has no identity, so that no rollout is taken to have this image"
    assert said[1:] == [
        "QRCode (s): level low, confidence 97 → review by all",
        "    · qr (→ block, in shadow): matches, and decides nothing",
        "    · some (→ block, rolled out to no image): matches, and decides nothing",
        "    · few (→ block, rolled out to 1e-09 of images, not to this one): matches, and decides nothing",
        "    ✓ all (→ review): matches",
        "    did every rule count: block by qr",
        "",
        f"By {policy}, the strictest of these: review.",
        "Did the rules count that are in shadow, or in a rollout: block, by qr.",
    ]


@pytest.mark.parametrize(
    ("shadow", "differences"),
    [
        ({"decision": "block", "rules": ["qr"]}, ()),
        ({"decision": "block"}, ()),
        ({"decision": "pass", "rules": ["some"]},
         ("shadow.decision: expected pass, got block (by qr)", "shadow.rules: expected some, got qr")),
    ],
)  # fmt: skip
def test_a_test_may_say_what_rules_that_do_not_count_would_have_changed(
    policy: Path, shadow: dict[str, Any], differences: tuple[str, ...]
) -> None:
    """
    And no test is in a rollout by luck: only where it takes all images.
    """
    policy.write_text(
        "policy: img-mod\nversion: 7\nrules:\n"
        "  - {id: qr, match: {label: [QRCode]}, then: block, rollout: 0.999999999}\n"
        "overlays:\n"
        "  - {when: {tenant: [t]}, rules: [{id: some, match: {label: [QRCode]}, then: pass, rollout: 0.999999999}]}\n"
        "  - {when: {tenant: [u]}, rules: [{id: all, match: {label: [QRCode]}, then: block, rollout: 1}]}\n"
    )
    answer = {"RiskLevel": "low", "Result": [{"Label": "QRCode"}]}
    tests = [
        {"name": "base", "answer": answer, "decision": "pass", "rules": ["default:low"], "shadow": shadow},
        {"name": "overlay", "answer": answer, "event": {"tenant": "t"}, "decision": "pass", "rules": ["default:low"],
         "shadow": {"decision": "pass", "rules": []}},
        {"name": "all", "answer": answer, "event": {"tenant": "u"}, "decision": "block", "rules": ["all"]},
    ]  # fmt: skip
    policy.with_name("policy.tests.yaml").write_text(yaml.safe_dump(tests))

    assert [each.differences for each in fixtures.run(policy, None)] == [differences, (), ()]


@pytest.mark.parametrize("written", ["nothing", "[]", "{}", '{"tenant": 1}'])
def test_what_is_no_verdict_is_not_explained(policy: Path, tmp_path: Path, written: str) -> None:
    """
    The file is named.
    """
    verdict = tmp_path / "verdict.json"
    verdict.write_text(written)

    with pytest.raises(Misconfigured, match=re.escape(str(verdict))):
        explaining.explain(policy, verdict)


def test_the_shipped_policy_is_sound() -> None:
    """
    Lint has nothing to say about it.
    """
    assert linting.lint(ROOT / "config" / "policy.yaml") == []
