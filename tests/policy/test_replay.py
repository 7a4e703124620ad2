"""Deciding again from a published verdict: the same as from the answers, or a reason why that cannot be known."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.config.privacy import PrivacySettings
from consumer.errors import Misconfigured
from consumer.hits import Hits, LogoHit
from consumer.policy.decide import Deciding
from consumer.policy.replay import NotReplayable, Recorded, Replayed, Replaying, recorded
from consumer.policy.schema import Policy, PolicySettings, load_policy
from consumer.records import Assessment, Coverage, Decision, Failure, Label, ModerationResult
from consumer.verdicts.encode import Encoding
from tests.policy.drawn import answers, rules
from tests.policy.test_rules import Tree, rule
from tests.policy.test_rules import answer as answered
from tests.rig.events import submission
from tests.rig.policy_cases.cases import case
from tests.rig.policy_cases.play import assessment_of, submission_of

MOMENT = 1_763_632_801.25
BOTH: Tree = {"services": ["a", "b"]}


def policy(tree: Tree) -> Policy:
    return Policy(settings=PolicySettings.model_validate({"policy": "test", "version": 1, **tree}), sha256="ab")


def published(tree: Tree, assessment: Assessment) -> Any:
    """The verdict as JSON."""
    verdict = Deciding(policy(tree)).decide(submission(), assessment, MOMENT)
    return orjson.loads(Encoding(group="group").verdict(verdict).value or b"")


def again(tree: Tree, verdict: Any) -> Replayed | NotReplayable:
    record = recorded(verdict)
    return record if isinstance(record, NotReplayable) else Replaying(policy(tree)).decide(record)


def reason(tree: Tree, verdict: Any) -> str:
    found = again(tree, verdict)
    assert isinstance(found, NotReplayable)
    return f"{found.reason}: {found.detail}"


@settings(max_examples=50)
@given(
    some=st.lists(rules, max_size=3), others=st.lists(rules, max_size=3), given_answers=answers,
    coverage=st.sampled_from([None, Coverage(), Coverage(frames=1), Coverage(frames=8, seen=2)]),
    unseen=st.sampled_from(["pass", "review"]), kind=st.sampled_from([None, "fetch", "image"]),
)  # fmt: skip
def test_it_decides_as_from_the_answers(
    some: Any, others: Any, given_answers: Any, coverage: Coverage | None, unseen: str, kind: str | None
) -> None:
    """
    The decision, who decided, what the reasons are and the floor, for any two policies that ask the same services.
    """

    def tree(written: list[Tree]) -> Tree:
        rules = [{"id": f"r{nth}", **each} for nth, each in enumerate(written)]
        return {**BOTH, "rules": rules, "unseen_frames": unseen, "on_error": {"image": "block"}}

    results = [answered(level, *labels, service=name) for name, level, labels in given_answers]
    failure = Failure(kind=kind, code="404", service="b") if kind else None
    found = Assessment(answers=tuple(results), failure=failure, coverage=coverage if results else None)
    asked = {each.service for each in results} | ({"b"} if kind else set())
    expected = Deciding(policy(tree(others))).decide(submission(), found, MOMENT)

    replayed = again(tree(others), published(tree(some), found))

    if asked != {"a", "b"} and expected.decision is not Decision.BLOCK:
        assert isinstance(replayed, NotReplayable)
        return
    assert isinstance(replayed, Replayed)
    assert (replayed.decision, replayed.decided_by, replayed.floor) == (
        expected.decision, expected.decided_by, expected.floor,
    )  # fmt: skip
    shown = [(each.rule, each.finding.service, each.finding.label) for each in replayed.reasons]
    assert shown == [(each.rule, each.finding.service, each.finding.label) for each in expected.reasons]


def test_a_service_that_was_not_asked_is_not_guessed() -> None:
    """
    Unless the image is blocked by what is known; a service that is no longer named counts for nothing.
    """
    low, high = (published({"services": ["a"]}, Assessment(answers=(answered(level, ("x", 90.0)),)))
                 for level in ("low", "high"))  # fmt: skip
    two = Assessment(answers=(answered("low", ("x", 90.0)), answered("high", ("x", 90.0), service="b")))
    blocked, fewer = again(BOTH, high), again({"services": ["a"]}, published(BOTH, two))

    assert reason(BOTH, low) == "services: b"
    assert isinstance(blocked, Replayed)
    assert isinstance(fewer, Replayed)
    assert (blocked.decision, fewer.decision) == ("block", "pass")


def test_a_verdict_that_lacks_anything_is_not_replayed() -> None:
    """
    Nor a provisional one, nor what is no verdict; the reason names members and nothing of the image.
    """
    verdict = published({"services": ["a"]}, Assessment(answers=(answered("low", ("x", 90.0)),)))

    assert reason({}, {**verdict, "omitted": ["findings", "hits"]}) == "omitted: findings, hits"
    assert reason({}, {**verdict, "provisional": True}) == "provisional: "
    for broken in ({}, {**verdict, "findings": None}, {**verdict, "decision": "hide"}, {**verdict, "timing": 3}):
        assert reason({}, broken).startswith("not_a_verdict: ")


def test_a_failure_whose_class_is_not_written_is_not_guessed() -> None:
    """
    Of several services that failed a verdict has the class of the first. The others' does not matter where every class
    leads to the same, or the image is blocked anyway.
    """
    one, two = (Failure(kind="fetch", code="404", service=service) for service in ("a", "b"))
    other = published(BOTH, Assessment(failure=one, later_failures=(replace(two, kind="image", code="407"),)))
    strict = {**BOTH, "on_error": {"image": "block"}}

    found = again(BOTH, other)

    assert isinstance(found, Replayed)
    assert found.decision == "review"
    assert reason(strict, other) == "failures: error"
    assert isinstance(again({**BOTH, "on_error": {"fetch": "block"}}, other), Replayed)


def test_an_image_that_could_not_be_asked_about_needs_no_answers() -> None:
    """
    Its class decides, whatever services a policy names.
    """
    unasked = published({"services": ["a"]}, Assessment(failure=Failure(kind="input", code="no_url")))
    found = again({**BOTH, "on_error": {"input": "block"}}, unasked)

    assert isinstance(found, Replayed)
    assert (found.decision, found.decided_by, found.reasons) == ("block", "fallback", ())


def test_a_verdict_of_an_older_release_says_what_was_asked_by_what_was_found() -> None:
    """
    It has neither `asked` nor `identity`, `coverage`, `floor` and `omitted`: what was found was asked for.
    """
    verdict = published({"services": ["a"]}, Assessment(answers=(answered("low", ("x", 90.0)),)))
    for name in ("asked", "identity", "coverage", "floor", "omitted"):
        del verdict[name]
    record, found = recorded(verdict), again({"services": ["a"], "unseen_frames": "review"}, verdict)

    assert isinstance(record, Recorded)
    assert isinstance(found, Replayed)
    assert (set(record.services), record.info, record.identity) == ({"a"}, None, "")
    assert (found.decision, found.reasons[0].rule) == ("review", "unseen_frames")
    assert reason(BOTH, verdict) == "services: b"


@pytest.mark.parametrize(("moment", "expected"), [(None, "pass"), (MOMENT + 30 * 86_400, "block")])
def test_the_moment_is_that_of_the_decision(moment: float | None, expected: str) -> None:
    """
    A rule that ended since matches what was decided before; unless another moment is asked about.
    """
    ended = rule("art", "pass", "x", why={"owner": "o", "reason": "r", "expires": "2025-11-30"})
    result = ModerationResult(service="a", request_id="R", risk_level="high", labels=(Label("x", 90.0, "high"),))
    record = recorded(published({"services": ["a"]}, Assessment(answers=(result,))))
    assert isinstance(record, Recorded)

    found = Replaying(policy({"services": ["a"], "rules": [ended]})).decide(record, moment)

    assert isinstance(found, Replayed)
    assert found.decision == expected


def test_rules_that_look_beyond_findings_decide_as_from_the_answers(tmp_path: Path) -> None:
    """
    For made-up policies and images with libraries, people, logos, contexts and overlays of services: the same decision,
    reasons and floor, or a reason why not.
    """
    encoding = Encoding(group="group", privacy=PrivacySettings(logos=True))
    decided, looking = Counter[str](), 0
    for number in range(120):
        made = case(16, number, 6, 0.0)
        (tmp_path / "policy.yaml").write_text(made.policy)
        try:
            settings = load_policy(tmp_path / "policy.yaml")
        except Misconfigured:  # a few of them contradict themselves by chance
            continue
        deciding, replaying = Deciding(settings), Replaying(settings, "all")
        rules = [*settings.settings.rules, *(each for overlay in settings.settings.overlays for each in overlay.rules)]
        looking += any(each.match.library or each.match.logo or each.match.context for each in rules)
        for image in made.images:
            about, assessment = submission_of(image), assessment_of(image)
            told_by = {each.service for each in assessment.answers} | {each.service for each in assessment.failures}
            if not (told_by - {""}).issubset(deciding.asked(about).services):
                continue
            expected = deciding.decide(about, assessment, image.now)
            record = recorded(orjson.loads(encoding.verdict(expected).value or b""))
            assert isinstance(record, Recorded) or record.reason == "omitted"
            if not isinstance(record, Recorded):
                continue
            found = replaying.decide(record, image.now)
            decided[type(found).__name__ if isinstance(found, Replayed) else found.reason] += 1
            if isinstance(found, Replayed):
                reasons = [(each.rule, each.finding.label) for each in found.reasons]
                assert (found.decision, found.floor) == (expected.decision, expected.floor), made.policy
                assert reasons == [(each.rule, each.finding.label) for each in expected.reasons], made.policy

    assert looking > 20
    assert decided["Replayed"] > 100


def test_what_a_rule_would_look_at_and_the_verdict_does_not_keep_is_not_guessed() -> None:
    """
    Information that was not asked for, names of logos, members of the context; unless no rule that could match asks.
    """
    plain = published(
        {"services": ["a"], "info": ["logoData"]}, Assessment(answers=(answered("low", ("x_lib", 90.0)),))
    )
    logo = Hits(logos=("pt",), logo_hits=(LogoHit("pt", 90.0),), logo_names=("ACME",))
    met = answered("low", ("x_lib", 90.0))._replace(hits=logo)
    unnamed = published({"services": ["a"], "info": ["logoData"]}, Assessment(answers=(met,)))

    def tree(**match: Any) -> Tree:
        info = ["customImage", "textInImage", "publicFigure", "logoData"]
        return {"services": ["a"], "info": info, "record_context": ["trust"], "rules": [rule("r", "block", **match)]}

    assert reason(tree(label=["*_lib"], library=["l1"]), plain) == "info: customImage"
    assert reason(tree(label=["x*"], figure=True), plain) == "info: publicFigure"
    assert reason(tree(label=["x*"], logo=["ACME"]), unnamed) == "hits: logos"
    assert reason(tree(label=["x*"], context={"trust": ["new"]}), plain) == "context: trust"
    assert isinstance(again(tree(label=["y*"], library=["l1"]), plain), Replayed)
    record = recorded(plain)
    assert isinstance(record, Recorded)
    kept = [
        Replaying(policy(tree(label=["x*"], context={"trust": ["new"]})), each).decide(record)
        for each in ("all", ["trust"])
    ]
    assert [isinstance(each, Replayed) for each in kept] == [True, True]
