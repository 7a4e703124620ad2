"""
From what the provider answered to a decision. Values in, values out.

    answers ──normalise──► findings ──explain──► findings ──route──► decisions ──strictest──► the decision

It fails closed: an unknown level goes to review, an overall level that no label explains counts for itself, and an
image that could not be judged goes to review, or is blocked where the policy says so.
"""

from collections.abc import Iterator, Sequence

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

RANK = {"none": 0, "low": 1, "medium": 2, "high": 3}
"""Vendor: the risk levels, rising."""

UNEXPLAINED = "__overall__"
UNSEEN = "__unseen_frames__"


class Deciding:
    """Decides by one policy."""

    def __init__(self, policy: Policy) -> None:
        settings = policy.settings
        self.name = PolicyName(id=settings.policy, version=settings.version, sha256=policy.sha256)
        self._routes = {level: (f"default:{level}", Decision(to)) for level, to in settings.route.model_dump().items()}
        if settings.strict_recall and self._routes["low"][1] is Decision.PASS:
            self._routes["low"] = ("strict_recall:low", Decision.REVIEW)
        self._reviews_unseen = settings.unseen_frames == "review"
        self._on_error = {kind: Decision(to) for kind, to in settings.on_error.model_dump().items()}

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the verdict at `now` (unix seconds): the strictest that the findings, or a failure, ask for."""
        findings = tuple(finding for answer in assessment.answers for finding in findings_of(answer))
        routed = [(*self._route(finding), finding) for finding in findings]
        coverage = assessment.coverage or Coverage()
        if self._reviews_unseen and assessment.answers and not coverage.is_whole:
            unseen = Finding(
                service=assessment.answers[0].service, label=UNSEEN, confidence=None, level="unknown",
                level_source="coverage",
            )  # fmt: skip
            findings, routed = (*findings, unseen), [*routed, ("unseen_frames", Decision.REVIEW, unseen)]
        outcomes = [decision for _, decision, _ in routed]
        outcomes += [self._on_error.get(failure.kind, Decision.REVIEW) for failure in assessment.failures]
        decision = max(outcomes, key=STRICTNESS.__getitem__, default=Decision.REVIEW)
        reasons = tuple(Reason(rule=rule, finding=finding) for rule, outcome, finding in routed if outcome is decision)
        return Verdict(
            submission=submission,
            assessment=assessment,
            decision=decision,
            decided_by="policy" if reasons else "fallback",
            risk_level=_overall(assessment.answers),
            reasons=reasons,
            findings=findings,
            policy=self.name,
            decided=now,
        )

    def fall_back(
        self, submission: Submission, assessment: Assessment, decided: Decision | None, now: float
    ) -> Verdict:
        """
        Reach a verdict about an image for which deciding, or writing what was decided, met an unexpected error.

        It is review, or what `on_error.internal` or the decision that was reached ask for where that is stricter.
        """
        asked_for = [Decision.REVIEW, self._on_error.get("internal", Decision.REVIEW)]
        return Verdict(
            submission=submission,
            assessment=assessment,
            decision=max([*asked_for, decided or Decision.REVIEW], key=STRICTNESS.__getitem__),
            decided_by="fallback",
            risk_level=None,
            reasons=(),
            findings=(),
            policy=self.name,
            decided=now,
        )

    def _route(self, finding: Finding) -> tuple[str, Decision]:
        if finding.label == ALLOWLISTED and finding.level == "none":
            return "default:allowlist", Decision.PASS
        return self._routes.get(finding.level, ("default:unknown_level", Decision.REVIEW))


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
            service=answer.service, label=label.name, confidence=label.confidence, level=level, level_source=source
        )
    overall = answer.risk_level or "unknown"
    if overall not in RANK or RANK[overall] > highest:
        yield Finding(service=answer.service, label=UNEXPLAINED, confidence=None, level=overall, level_source="overall")


def outranks_overall(answer: ModerationResult) -> bool:
    """Whether a label's own level is above the overall one, which the vendor says is the highest."""
    overall = RANK.get(answer.risk_level or "", len(RANK))
    return any(RANK.get(label.level or "", -1) > overall for label in answer.labels)


def _overall(answers: Sequence[ModerationResult]) -> str | None:
    """The highest overall level that was answered; one that is unknown is above all."""
    levels = [answer.risk_level or "unknown" for answer in answers]
    return max(levels, key=lambda level: RANK.get(level, len(RANK)), default=None)
