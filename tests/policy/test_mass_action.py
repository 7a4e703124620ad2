"""While too much is blocked people look at it: what a verdict is then, and what it stays."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from consumer.policy.block_shares import BlockLimits
from consumer.policy.candidate import Candidate
from consumer.policy.decide import Deciding
from consumer.policy.mass_action import MassActionBreaker
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Decision, Failure, Floor, Subject, Verdict
from tests.policy.test_rules import answer, rule
from tests.rig.clock import ManualClock
from tests.rig.events import submission

LIMITS = BlockLimits(window=600.0, least=4, share=0.25)
GOOD = Assessment(answers=(answer("none", ("nonLabel", None)),))
BAD = Assessment(answers=(answer("high", ("violent_bloody", 91.0)),))
KNOWN = Assessment(answers=(answer("high", ("terror_lib", 99.0)),))
ODD = Assessment(answers=(answer("critical", ("new", None)),))
UNJUDGED = Assessment(failure=Failure(kind="provider", code="500"))
PINNED = {"services": ["a"], "rules": [rule("terror", "block", "terror_lib", pin=True)]}


def policy(**tree: Any) -> Policy:
    settings = PolicySettings.model_validate({"policy": "test", "version": 1, **PINNED, **tree})
    return Policy(settings=settings, sha256="0")


class Rig:
    """A breaker, and whom it is asked about."""

    def __init__(self, current: Policy | None = None, candidate: Policy | None = None) -> None:
        self.clock = ManualClock()
        current = current or policy()
        deciding = Deciding(current)
        decide = deciding.decide
        if candidate is not None:
            decide = Candidate(decide, deciding.asked, candidate).decide
        self.breaker = MassActionBreaker(decide, LIMITS, self.clock)
        self._number = 0

    def judged(self, assessment: Assessment, tenant: str = "shop-eu") -> Verdict:
        """Of an image of another subject each time."""
        self._number += 1
        asked = replace(submission(), tenant=tenant, subject=Subject(id=f"u_{self._number}"))
        return self.breaker.decide(asked, assessment, 0.0)

    def opened(self) -> "Rig":
        for _ in range(4):
            self.judged(BAD)
        return self


def test_blocks_become_reviews_until_the_share_is_back() -> None:
    """
    What the policy found stays as it is: level, findings and reasons. What passes passes.
    """
    rig = Rig()

    before = [rig.judged(each) for each in (BAD, BAD, GOOD)]
    during = [rig.judged(each) for each in (BAD, GOOD)]
    passes = [rig.judged(GOOD) for _ in range(7)]
    still = rig.judged(BAD)
    more = [rig.judged(GOOD) for _ in range(7)]
    after = rig.judged(BAD)

    assert [(each.decision, each.decided_by) for each in before] == [
        ("block", "policy"), ("block", "policy"), ("pass", "policy"),
    ]  # fmt: skip
    assert [(each.decision, each.decided_by) for each in during] == [("review", "breaker"), ("pass", "policy")]
    assert {each.decision for each in (*passes, *more)} == {Decision.PASS}
    assert (still.decision, still.decided_by) == ("review", "breaker")  # 4 of 13 are above a quarter
    assert (after.decision, after.decided_by) == ("block", "policy")  # 5 of 21 are not
    assert during[0].risk_level == "high"
    assert [each.rule for each in during[0].reasons] == ["default:high"]
    assert during[0].findings == before[0].findings


def test_what_is_pinned_stays_blocked() -> None:
    """
    And counts: what the policy would do is what opens the breaker.
    """
    rig = Rig()

    pinned = [rig.judged(KNOWN) for _ in range(6)]

    assert {(each.decision, each.decided_by) for each in pinned} == {("block", "policy")}
    assert {each.floor for each in pinned} == {Floor("terror", Decision.BLOCK)}
    assert rig.judged(BAD).decided_by == "breaker"


def test_one_tenants_blocks_hold_back_no_others() -> None:
    """
    Each has its own share.
    """
    rig = Rig().opened()

    assert rig.judged(BAD, tenant="shop-us").decision == "block"
    assert rig.judged(BAD).decision == "review"


def test_an_image_that_could_not_be_judged_is_held_back_too() -> None:
    """
    Where `on_error` blocks it, a provider that fails for many would block as many; its error stays in the verdict.
    """
    rig = Rig(policy(on_error={"provider": "block"}))
    failed = Assessment(failure=Failure(kind="provider", code="500"))

    verdicts = [rig.judged(failed) for _ in range(4)]

    assert [each.decided_by for each in verdicts] == ["fallback", "fallback", "fallback", "breaker"]
    assert (verdicts[-1].decision, verdicts[-1].assessment) == ("review", failed)


def test_what_others_would_have_decided_is_as_without_it() -> None:
    """
    A rule in shadow and a policy in shadow are compared with what the policy decides, and so are counted.
    """
    shadowed = policy(rules=[{**rule("mild", "review", "violent_bloody"), "mode": "shadow"}])
    rig = Rig(shadowed, policy())

    before, *_, during = (rig.judged(BAD) for _ in range(4))

    assert (before.decision, during.decision) == ("block", "review")
    assert before.trial is not None
    assert (during.trial, during.candidate) == (before.trial, before.candidate)
    assert before.of_policy is during.of_policy is Decision.BLOCK


def test_a_change_is_logged_once_and_readiness_says_whose_blocks_are_reviews() -> None:
    """
    Without an image of theirs the breakers close when their window has passed, and that is seen by looking.
    """
    rig = Rig()
    with capture_logs() as lines:
        for tenant in ("a", "b", "c", "d"):
            for _ in range(6):
                rig.judged(BAD, tenant=tenant)
        said = rig.breaker.degraded()
        rig.clock.time += LIMITS.window
        after = rig.breaker.degraded()

    assert said == [
        "breaker_of_blocks: more is blocked than usual: blocks are published as reviews, of a, b, c and 1 more"
    ]
    assert after == []
    assert [(each["event"], each["tenant"]) for each in lines] == [
        *(("blocks.held_back", tenant) for tenant in "abcd"), *(("blocks.let_through", tenant) for tenant in "abcd"),
    ]  # fmt: skip
    assert lines[0] == {
        "event": "blocks.held_back", "log_level": "warning", "tenant": "a", "blocks": 4, "images": 4, "share": 0.25,
        "window": 600.0,
    }  # fmt: skip


@pytest.mark.parametrize("types", [(None, None), ("avatar", "listing")])
def test_a_subject_is_its_type_and_id(types: tuple[str | None, str | None]) -> None:
    """
    Images of one subject count five times at the most; those of another type are another's.
    """
    rig = Rig()
    breaker = MassActionBreaker(Deciding(policy()).decide, LIMITS._replace(least=6), rig.clock)

    def judged(kind: str | None) -> Verdict:
        return breaker.decide(replace(submission(), subject=Subject(id="one", type=kind)), BAD, 0.0)

    verdicts = [judged(types[n % 2]) for n in range(20)]

    assert any(each.decided_by == "breaker" for each in verdicts) is (types[0] != types[1])


@given(st.lists(st.tuples(st.sampled_from([GOOD, BAD, KNOWN, UNJUDGED, ODD]), st.sampled_from("ab")), max_size=40))
def test_it_only_ever_turns_a_block_into_a_review(images: list[tuple[Assessment, str]]) -> None:
    """
    Whatever comes: nothing becomes milder than review or below its floor, and nothing but decision and its author is
    another than without it.
    """
    rig, alone = Rig(policy(on_error={"provider": "block"})), Deciding(policy(on_error={"provider": "block"}))

    for assessment, tenant in images:
        verdict = rig.judged(assessment, tenant=tenant)
        plain = alone.decide(verdict.submission, assessment, 0.0)

        if verdict.decided_by == "breaker":
            assert (verdict.decision, plain.decision) == ("review", "block")
            assert plain.floor is None
            verdict = verdict._replace(decision=plain.decision, decided_by=plain.decided_by)
        assert verdict == plain
