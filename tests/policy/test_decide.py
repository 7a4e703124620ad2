from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.policy.decide import Deciding, findings_of, outranks_overall
from consumer.policy.schema import OnError, Policy, PolicySettings
from consumer.records import STRICTNESS, Assessment, Coverage, Decision, Failure, Label, ModerationResult
from tests.rig.events import submission

RANKS = ["none", "low", "medium", "high"]
ROUTE = {"none": Decision.PASS, "low": Decision.PASS, "medium": Decision.REVIEW, "high": Decision.BLOCK}


def deciding(**changes: Any) -> Deciding:
    return Deciding(Policy(settings=PolicySettings(policy="test", version=1, **changes), sha256="ab"))


def answer(level: str | None, *labels: Label, service: str = "baselineCheck_global") -> ModerationResult:
    return ModerationResult(service=service, request_id="R", risk_level=level, labels=labels)


def decision(*answers: ModerationResult, failure: Failure | None = None, **policy: Any) -> Decision:
    return deciding(**policy).decide(submission(), Assessment(answers=answers, failure=failure), 0.0).decision


levels = st.none() | st.sampled_from([*RANKS, "High", "severe", ""])
labels = st.builds(
    Label,
    st.sampled_from(["nonLabel", "nonLabel_lib", "violent_explosion", "violent_explosion_lib", "a_tii_lib", "", "new"]),
    st.none() | st.floats(0, 100),
    levels,
)
answers = st.builds(lambda level, some: answer(level, *some), levels, st.lists(labels, min_size=1, max_size=5))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("high", "block"),
        ("medium", "review"),
        ("low", "pass"),
        ("none", "pass"),
        ("severe", "review"),
        (None, "review"),
    ],
)
def test_the_vendors_advice_is_followed(level: str | None, expected: str) -> None:
    """
    Vendor: act on high risk, review medium, treat low like none. A level nobody knows goes to review.
    """
    assert decision(answer(level, Label("violent_explosion", 81.0))) == expected


def test_strict_recall_reviews_low_risk() -> None:
    """
    Vendor: low-risk content is looked at where recall must be strict.
    """
    low = answer("low", Label("pt_logo", 50.0))

    assert decision(low, strict_recall=True) == "review"
    assert decision(low, strict_recall=True, route={"low": "block"}) == "block"


def test_an_allowlist_hit_passes() -> None:
    """
    `nonLabel_lib` ends like a custom library's hit and is the opposite of one.
    """
    verdict = deciding().decide(submission(), Assessment(answers=(answer("none", Label("nonLabel_lib", 83.0)),)), 0.0)

    assert verdict.decision == "pass"
    assert [reason.rule for reason in verdict.reasons] == ["default:allowlist"]


def test_an_overall_level_that_no_label_explains_counts() -> None:
    """
    High risk overall with nothing but harmless labels is blocked, allowlisted or not.
    """
    assert decision(answer("high", Label("nonLabel"))) == "block"
    assert decision(answer("high", Label("nonLabel_lib", 99.0))) == "block"
    assert decision(answer("medium", Label("a", None, "low"))) == "review"
    assert decision(answer("unheard-of", Label("a", None, "none"))) == "review"


def test_an_unknown_level_does_not_hide_a_higher_overall_one() -> None:
    """
    A label of unknown level asks for review, and the overall level still for a block.
    """
    assert decision(answer("high", Label("a", None, "severe"))) == "block"


def test_the_strictest_of_all_labels_and_services_wins() -> None:
    """
    One bad label among good ones, or one service among several, decides.
    """
    good, bad = answer("none", Label("nonLabel")), answer("high", Label("a"), service="aigcDetector_global")

    assert decision(good, bad) == "block"
    assert decision(answer("low", Label("a", None, "low"), Label("b", None, "medium"))) == "review"


def test_an_image_that_could_not_be_judged_goes_to_review() -> None:
    """
    A failure is reviewed and says so; where another service found worse, that counts.
    """
    failure = Failure(kind="image", code="407")
    failed = deciding().decide(submission(), Assessment(failure=failure), 0.0)
    blocked = deciding().decide(submission(), Assessment(answers=(answer("high", Label("a")),), failure=failure), 0.0)

    assert (failed.decision, failed.decided_by) == ("review", "fallback")
    assert (blocked.decision, blocked.decided_by) == ("block", "policy")


KINDS = list(OnError.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_may_block_what_could_not_be_judged(kind: str) -> None:
    """
    `on_error` changes its own class and no other; that is a fallback too.
    """
    strict = deciding(on_error={kind: "block"})

    decisions = {
        each: strict.decide(submission(), Assessment(failure=Failure(kind=each, code="c")), 0.0) for each in KINDS
    }

    assert {each for each, verdict in decisions.items() if verdict.decision == "block"} == {kind}
    assert {verdict.decision for verdict in decisions.values()} == {"block", "review"}
    assert {verdict.decided_by for verdict in decisions.values()} == {"fallback"}


def test_a_failure_that_the_policy_does_not_know_is_reviewed() -> None:
    """
    A class without a setting is no way to pass.
    """
    assert decision(failure=Failure(kind="unheard-of", code="c")) == "review"


def test_the_strictest_of_all_failures_wins() -> None:
    """
    Where several services fail, and another finds nothing, the strictest setting decides.
    """
    fetch, image = Failure(kind="fetch", code="404"), Failure(kind="image", code="407")
    harmless = answer("none", Label("nonLabel"))
    assessment = Assessment(answers=(harmless,), failure=fetch, later_failures=(image,))

    verdict = deciding(on_error={"image": "block"}).decide(submission(), assessment, 0.0)

    assert (verdict.decision, verdict.decided_by, verdict.reasons) == ("block", "fallback", ())


def test_nothing_known_of_an_image_is_no_pass() -> None:
    """
    An assessment without an answer and without a failure goes to review.
    """
    assert decision() == "review"


def test_a_label_above_the_overall_level_is_noticed() -> None:
    """
    The stricter counts, and the contradiction can be counted.
    """
    contradiction = answer("low", Label("a", None, "high"))

    assert decision(contradiction) == "block"
    assert outranks_overall(contradiction)
    assert not outranks_overall(answer("high", Label("a", None, "high")))


@settings(max_examples=2000)
@given(st.lists(answers, max_size=3), st.none() | st.just(Failure(kind="fetch", code="404")))
def test_it_never_passes_unless_everything_is_harmless(
    given_answers: list[ModerationResult], failure: Failure | None
) -> None:
    """
    `pass` needs an answer, no failure, and no level above low or unknown, neither of a label nor overall.
    """
    verdict = deciding().decide(submission(), Assessment(answers=tuple(given_answers), failure=failure), 0.0)

    if verdict.decision is Decision.PASS:
        assert given_answers
        assert failure is None
        seen = [each.risk_level for each in given_answers]
        seen += [label.level for each in given_answers for label in each.labels if label.level is not None]
        assert set(seen) <= {"none", "low"}


@settings(max_examples=2000)
@given(st.sampled_from(RANKS), st.lists(labels, min_size=1, max_size=5))
def test_without_rules_the_overall_level_decides(level: str, some: list[Label]) -> None:
    """
    Where no label's level exceeds the overall one, the decision is that level's route; else it is stricter.
    """
    one = answer(level, *some)
    known = [label.level in (None, *RANKS) for label in some]

    decided = decision(one)

    if all(known) and not outranks_overall(one):
        assert decided is ROUTE[level]
    else:
        assert STRICTNESS[decided] >= STRICTNESS[ROUTE[level]]


def test_findings_say_where_their_level_comes_from() -> None:
    """
    A label's own level counts before the overall one.
    """
    one = answer("high", Label("a", 1.0, "low"), Label("b", 2.0), Label("nonLabel"))

    assert [(finding.label, finding.level, finding.level_source) for finding in findings_of(one)] == [
        ("a", "low", "label"), ("b", "high", "overall"), ("nonLabel", "none", "label"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("coverage", "setting", "expected"),
    [
        (Coverage(frames=1), "review", "pass"),
        (Coverage(frames=3), "review", "review"),
        (Coverage(frames=None), "review", "review"),
        (Coverage(seen=3, frames=3), "review", "pass"),
        (Coverage(frames=1, scaled=True), "review", "review"),
        (None, "review", "review"),
        (Coverage(frames=3), "pass", "pass"),
    ],
)
def test_frames_that_were_not_looked_at_are_reviewed_where_the_policy_says_so(
    coverage: Coverage | None, setting: str, expected: str
) -> None:
    """
    Also where it is not known whether there are any; a finding of its own says why.
    """
    assessment = Assessment(answers=(answer("none", Label("nonLabel")),), coverage=coverage)

    verdict = deciding(unseen_frames=setting).decide(submission(), assessment, 0.0)

    assert verdict.decision == expected
    assert verdict.decided_by == "policy"
    assert ("unseen_frames" in [reason.rule for reason in verdict.reasons]) is (expected == "review")


def test_the_strictest_frame_decides() -> None:
    """
    Findings and reasons say which frame they are about; one that could not be judged never leads to pass.
    """
    frames = [answer(level)._replace(frame=number) for number, level in enumerate(["none", "low", "high", "medium"])]

    verdict = deciding().decide(submission(), Assessment(answers=tuple(frames)), 0.0)

    assert verdict.decision == "block"
    assert [finding.frame for finding in verdict.findings] == [0, 1, 2, 3]
    assert [reason.finding.frame for reason in verdict.reasons] == [2]
    failed = Failure(kind="image", code="407", frame=3)
    assert decision(*frames[:2], failure=failed) == "review"
    assert decision(*frames[:3], failure=failed) == "block"


def test_unseen_frames_do_not_weaken_a_block() -> None:
    """
    The strictest outcome decides.
    """
    assessment = Assessment(answers=(answer("high"),), coverage=Coverage(frames=3))

    assert deciding(unseen_frames="review").decide(submission(), assessment, 0.0).decision == "block"
