"""
From what the provider answered to a decision. Values in, values out.

    answers ──normalise──► findings ──explain──► findings ──rules, route──► decisions ──strictest──► the decision

It fails closed: an unknown level goes to review, an overall level that no label explains counts for itself and is
matched by no rule, and an image that could not be judged goes to review, or is blocked where the policy says so.
"""

from collections.abc import Iterator, Sequence

from consumer.policy.effective import RANK, UNSEEN, Policies
from consumer.policy.language import OVERALL
from consumer.policy.schema import Policy
from consumer.records import (
    STRICTNESS,
    Assessment,
    Coverage,
    Decision,
    Finding,
    ModerationResult,
    PolicyName,
    Reason,
    Submission,
    Verdict,
)
from consumer.vendor_facts.aliyun import ALLOWLISTED, NOTHING_FOUND


class Deciding:
    """Decides by one policy."""

    def __init__(self, policy: Policy) -> None:
        settings = policy.settings
        self.name = PolicyName(id=settings.policy, version=settings.version, sha256=policy.sha256)
        self._info: tuple[str, ...] = settings.info
        self._policies = Policies(settings)
        # Where deciding itself has failed nothing is asked but this: the strictest, whichever tenant.
        internal = [settings.on_error.internal, *(overlay.on_error.internal for overlay in settings.overlays)]
        self._internal = max((Decision(to) for to in internal if to is not None), key=STRICTNESS.__getitem__)

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the verdict at `now` (unix seconds): the strictest that the findings, or a failure, ask for."""
        policy = self._policies.of(submission.tenant, submission.purpose)
        findings = tuple(finding for answer in assessment.answers for finding in findings_of(answer))
        routed = [(*policy.route(finding, now), finding) for finding in findings]
        coverage = assessment.coverage or Coverage()
        if policy.reviews_unseen and assessment.answers and not coverage.is_whole:
            unseen = Finding(
                service=assessment.answers[0].service, label=UNSEEN, confidence=None, level="unknown",
                level_source="coverage",
            )  # fmt: skip
            findings, routed = (*findings, unseen), [*routed, ("unseen_frames", Decision.REVIEW, None, unseen)]
        outcomes = [decision for _, decision, _, _ in routed]
        outcomes += [policy.on_error.get(failure.kind, Decision.REVIEW) for failure in assessment.failures]
        decision = max(outcomes, key=STRICTNESS.__getitem__, default=Decision.REVIEW)
        reasons = tuple(
            Reason(rule=rule, finding=finding) for rule, outcome, _, finding in routed if outcome is decision
        )
        floors = [floor for _, _, floor, _ in routed if floor is not None]
        return Verdict(
            submission=submission,
            assessment=assessment,
            decision=decision,
            decided_by="policy" if reasons else "fallback",
            risk_level=_overall(assessment.answers),
            reasons=reasons,
            findings=findings,
            policy=self.name,
            info=self._info,
            decided=now,
            floor=max(floors, key=lambda floor: STRICTNESS[floor.decision], default=None),
        )

    def fall_back(
        self, submission: Submission, assessment: Assessment, decided: Decision | None, now: float
    ) -> Verdict:
        """
        Reach a verdict about an image for which deciding, or writing what was decided, met an unexpected error.

        It is review, or what `on_error.internal` of any overlay or the decision that was reached ask for where that is
        stricter.
        """
        asked_for = [Decision.REVIEW, self._internal]
        return Verdict(
            submission=submission,
            assessment=assessment,
            decision=max([*asked_for, decided or Decision.REVIEW], key=STRICTNESS.__getitem__),
            decided_by="fallback",
            risk_level=None,
            reasons=(),
            findings=(),
            policy=self.name,
            info=self._info,
            decided=now,
        )


def findings_of(answer: ModerationResult) -> Iterator[Finding]:
    """Normalise an answer: a finding for every label, and one for an overall level that no label reaches."""
    highest = -1
    for label in answer.labels:
        if label.level is not None:
            level, source = label.level, "label"
        elif label.name in (NOTHING_FOUND, ALLOWLISTED):
            level, source = "none", "label"
        else:
            level, source = answer.risk_level or "unknown", "overall"
        highest = max(highest, RANK.get(level, -1))
        yield Finding(
            service=answer.service, label=label.name, confidence=label.confidence, level=level, level_source=source,
            frame=answer.frame,
        )  # fmt: skip
    overall = answer.risk_level or "unknown"
    if overall not in RANK or RANK[overall] > highest:
        yield Finding(
            service=answer.service, label=OVERALL, confidence=None, level=overall, level_source="overall",
            frame=answer.frame,
        )  # fmt: skip


def outranks_overall(answer: ModerationResult) -> bool:
    """Whether a label's own level is above the overall one, which the vendor says is the highest."""
    overall = RANK.get(answer.risk_level or "", len(RANK))
    return any(RANK.get(label.level or "", -1) > overall for label in answer.labels)


def _overall(answers: Sequence[ModerationResult]) -> str | None:
    """The highest overall level that was answered; one that is unknown is above all."""
    levels = [answer.risk_level or "unknown" for answer in answers]
    return max(levels, key=lambda level: RANK.get(level, len(RANK)), default=None)
