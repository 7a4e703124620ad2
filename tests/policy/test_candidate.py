"""A whole second policy in shadow: what it says, and that nothing comes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from consumer.config import PolicyFiles
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from consumer.policy.candidate import Candidate
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.policy_files.loading import load_policies
from consumer.records import Assessment, CandidateTrial, Decision, Failure, Label, ModerationResult, PolicyName, Verdict
from tests.policy.drawn import answers, rules
from tests.policy.test_rules import Tree, rule
from tests.policy.test_rules import answer as answered
from tests.rig.events import submission

MILD: Tree = {"services": ["a"], "info": ["customImage"]}


def policy(tree: Tree, version: int = 1) -> Policy:
    settings = PolicySettings.model_validate({"policy": "test", "version": version, **tree})
    return Policy(settings=settings, sha256=f"{version}")


def watched(current: Tree, candidate: Tree) -> Candidate:
    deciding = Deciding(policy(current))
    return Candidate(deciding.decide, deciding.asked, policy(candidate, version=2))


def judged(
    current: Tree, candidate: Tree, *given_answers: ModerationResult, **others: Any
) -> tuple[Verdict, CandidateTrial]:
    verdict = watched(current, candidate).decide(submission(), Assessment(answers=given_answers, **others), 0.0)
    assert verdict.candidate is not None
    return verdict, verdict.candidate


def test_it_says_what_it_would_decide_and_by_what() -> None:
    """
    Under its own name, whether or not that is another decision.
    """
    strict = {**MILD, "rules": [rule("logos", "block", "pt_logo")]}

    verdict, candidate = judged(MILD, strict, answered("low", ("pt_logo", 90.0)))
    _, same = judged(MILD, MILD, answered("low", ("pt_logo", 90.0)))

    assert (verdict.decision, verdict.policy.version, verdict.trial) == ("pass", 1, None)
    assert candidate == CandidateTrial(Decision.BLOCK, ("logos",), PolicyName(id="test", version=2, sha256="2"))
    assert (same.decision, same.rules) == ("pass", ("default:low",))


def test_what_it_was_not_asked_for_is_unknown() -> None:
    """
    Services and information beyond those of the policy that decides; where none of its services was asked it is review.
    """
    more = {"services": ["a", "b"], "info": ["customImage", "textInImage"]}

    _, candidate = judged(MILD, more, answered("low", ("x", 90.0)))
    _, nothing = judged(MILD, {"services": ["c"]}, answered("low", ("x", 90.0)))
    _, less = judged(more, MILD, answered("low", ("x", 90.0)))

    assert (candidate.decision, candidate.unknown) == ("pass", ("services.b", "info.textInImage"))
    assert (nothing.decision, nothing.rules, nothing.unknown) == ("review", (), ("services.c",))
    assert less.unknown == ()


def test_what_it_was_not_asked_for_is_that_of_its_tenant() -> None:
    """
    An overlay of either policy may ask for more, or for less.
    """
    less = {**MILD, "overlays": [{"when": {"tenant": ["t"]}, "info": []}]}
    about = [replace(submission(), tenant=tenant) for tenant in ("t", "u")]
    found = Assessment(answers=(answered("low", ("x", 90.0)),))

    candidates = [watched(less, MILD).decide(each, found, 0.0).candidate for each in about]

    assert [each and each.unknown for each in candidates] == [("info.customImage",), ()]


def test_services_that_it_does_not_name_have_no_part_in_it() -> None:
    """
    Neither what they found, nor that they failed; a failure before any was asked is everyone's.
    """
    both = {"services": ["a", "b"]}
    good, bad = answered("low", ("x", 90.0)), answered("high", ("x", 90.0), service="b")
    failed = Failure(kind="fetch", code="404", service="b")

    verdict, found = judged(both, MILD, good, bad)
    _, without = judged(both, MILD, good, failure=failed)
    _, later = judged(both, MILD, failure=failed, later_failures=(replace(failed, service="a"),))
    _, unasked = judged(
        both, {"services": ["a"], "on_error": {"input": "block"}}, failure=Failure(kind="input", code="c")
    )

    assert (verdict.decision, found.decision) == ("block", "pass")
    assert [without.decision, later.decision, unasked.decision] == ["pass", "review", "block"]


@given(some=st.lists(rules, max_size=3), others=st.lists(rules, max_size=3), given_answers=answers)
def test_it_changes_nothing(some: Any, others: Any, given_answers: Any) -> None:
    """
    The verdict is the one that is reached without it, and it says what it would decide alone, for any two policies.
    """

    def tree(written: list[Tree]) -> Tree:
        return {"services": ["a", "b"], "rules": [{"id": f"r{nth}", **each} for nth, each in enumerate(written)]}

    found = Assessment(answers=tuple(answered(level, *labels, service=name) for name, level, labels in given_answers))
    alone, other = (Deciding(policy(tree(each))).decide(submission(), found, 0.0) for each in (some, others))

    verdict = watched(tree(some), tree(others)).decide(submission(), found, 0.0)

    assert verdict._replace(candidate=None) == alone
    assert verdict.candidate is not None
    assert verdict.candidate.decision == other.decision


def test_one_that_meets_a_bug_holds_up_nothing() -> None:
    """
    The verdict is published without it, and that is counted.
    """
    name = "moderation_telling_failed_total"
    before = REGISTRY.get_sample_value(name, {"what": "shadow"}) or 0.0
    broken: Any = "no number"
    odd = ModerationResult(service="a", request_id="R", risk_level="low", labels=(Label("x", broken),))
    strict = {**MILD, "rules": [rule("sure", "block", "x", confidence={"gte": 80})]}

    verdict = watched(MILD, strict).decide(submission(), Assessment(answers=(odd,)), 0.0)

    assert (verdict.decision, verdict.candidate) == ("pass", None)
    assert (REGISTRY.get_sample_value(name, {"what": "shadow"}) or 0.0) - before == 1


def test_both_policies_are_refused_at_once_with_file_and_line(tmp_path: Path) -> None:
    """
    And one that is not there.
    """
    file, shadow = tmp_path / "policy.yaml", tmp_path / "candidate.yaml"
    file.write_text("policy: p\nversion: 1\nroute: {high: stop}\n")
    shadow.write_text("policy: p\nversion: 2\n\nrules: [{id: a, match: {label: [x]}, then: pass, pin: true}]\n")

    with pytest.raises(Misconfigured) as refused:
        load_policies(PolicyFiles(file=file, shadow=shadow))
    with pytest.raises(Misconfigured) as missing:
        load_policies(PolicyFiles(file=file, shadow=tmp_path / "none.yaml"))

    assert [problem.partition(": ")[0] for problem in refused.value.problems] == [f"{file}:3", f"{shadow}:4"]
    assert str(tmp_path / "none.yaml") in missing.value.problems[-1]


@pytest.mark.parametrize(
    ("text", "environment", "overrides", "expected"),
    [
        ("policy: a.yaml", {}, [], ("a.yaml", None)),
        ("policy: {shadow: b.yaml}", {}, [], ("policy.yaml", "b.yaml")),
        ("policy: {file: a.yaml, shadow: b.yaml}", {}, [], ("a.yaml", "b.yaml")),
        ("policy: a.yaml", {"MODERATION__POLICY__SHADOW": "b.yaml"}, [], ("a.yaml", "b.yaml")),
        ("policy: a.yaml", {}, ["policy.shadow=b.yaml"], ("a.yaml", "b.yaml")),
        ("policy: {file: a.yaml, shadow: b.yaml}", {}, ["policy.shadow=null"], ("a.yaml", None)),
        ("policy: {file: a.yaml, shadow: b.yaml}", {}, ["policy=c.yaml"], ("c.yaml", None)),
        ("{}", {}, ["policy.shadow=b.yaml"], ("policy.yaml", "b.yaml")),
    ],
)  # fmt: skip
def test_both_are_named_in_one_setting(
    tmp_path: Path, text: str, environment: dict[str, str], overrides: list[str], expected: tuple[str, str | None]
) -> None:
    """
    The policy alone as a path, or both by name, relative to the file; variables and options add to either.
    """
    path = tmp_path / "consumer.yaml"
    path.write_text(text)

    files = load_config(path, environment, overrides).policies

    name, shadow = expected
    assert (files.file, files.shadow) == (tmp_path / name, shadow and tmp_path / shadow)


def test_without_a_file_the_releases_policy_decides_beside_a_candidate() -> None:
    """
    Unless one is named.
    """
    beside = load_config(None, {}, ["policy.shadow=b.yaml"]).policies
    named = load_config(None, {}, ["policy.shadow=b.yaml", "policy.file=a.yaml"]).policies

    assert (beside.file, beside.shadow) == (load_config(None, {}).policies.file, Path("b.yaml"))
    assert (named.file, named.shadow) == (Path("a.yaml"), Path("b.yaml"))
