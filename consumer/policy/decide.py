"""
From what the provider answered to a decision. Values in, values out.

    answers ──normalise──► findings ──explain──► findings ──rules, route──► decisions ──strictest──► the decision

It fails closed: an unknown level goes to review, an overall level that no label explains counts for itself and is
matched by no rule, and an image that could not be judged goes to review, or is blocked where the policy says so.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import orjson

from consumer.policy.effective import Policies
from consumer.policy.language import OVERALL
from consumer.policy.ready import RANK, UNSEEN, Circumstances, Routed, routed
from consumer.policy.schema import Policy
from consumer.records import (
    STRICTNESS,
    Asked,
    Assessment,
    Coverage,
    Decision,
    Finding,
    ModerationResult,
    PolicyName,
    Reason,
    Submission,
    Trial,
    Verdict,
)
from consumer.rollout import identity_of
from consumer.vendor_facts.aliyun import ALLOWLISTED, NOTHING_FOUND

_KNOWN_BY_NAME = (NOTHING_FOUND, ALLOWLISTED)  # they have no level, and mean none
_new = tuple.__new__  # what a NamedTuple's own constructor calls, which costs as much again
_strictness = attrgetter("strictness")
_UNSEEN = routed("unseen_frames", Decision.REVIEW)

Decide = Callable[[Submission, Assessment, float], Verdict]
"""Reaches the verdict about an image at a moment, in unix seconds."""


class Deciding:
    """Decides by one policy."""

    def __init__(self, policy: Policy) -> None:
        settings = policy.settings
        self.name = PolicyName(id=settings.policy, version=settings.version, sha256=policy.sha256)
        self._policies = Policies(settings)
        # Where deciding itself has failed nothing is asked but this: the strictest, whichever tenant.
        internal = [settings.on_error.internal, *(overlay.on_error.internal for overlay in settings.overlays)]
        self._internal = max((Decision(to) for to in internal if to is not None), key=STRICTNESS.__getitem__)

    def asked(self, submission: Submission) -> Asked:
        """Return what the provider is asked about an image."""
        return self._policies.of(submission.tenant, submission.purpose).asked

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the verdict at `now` (unix seconds): the strictest that the findings, or a failure, ask for."""
        policy = self._policies.of(submission.tenant, submission.purpose)
        routing = policy.at(now)
        image = Circumstances(now, partial(identity_of, submission, assessment), partial(_context, submission))
        known = routing.constant.get
        findings: list[Finding] = []
        outcomes: list[Routed] = []
        for answer in assessment.answers:
            found, hits = findings_of(answer), answer.hits
            findings += found
            outcomes += [known(finding[:3]) or routing.route(finding, hits, image) for finding in found]
        if policy.reviews_unseen and assessment.answers and not (assessment.coverage or Coverage()).is_whole:
            findings.append(Finding(assessment.answers[0].service, UNSEEN, "unknown", None, "coverage"))
            outcomes.append(_UNSEEN)
        failed = [policy.on_error.get(failure.kind, Decision.REVIEW) for failure in assessment.failures]
        decision = _strictest(outcomes, failed)
        reasons = [
            _new(Reason, (each.rule, finding))
            for each, finding in zip(outcomes, findings, strict=True)
            if each.decision is decision
        ]
        floors = [each.floor for each in outcomes if each.floor is not None]
        return Verdict(
            submission=submission,
            assessment=assessment,
            decision=decision,
            decided_by="policy" if reasons else "fallback",
            risk_level=_overall(assessment.answers),
            reasons=tuple(reasons),
            findings=tuple(findings),
            policy=self.name,
            info=policy.asked.info,
            decided=now,
            floor=max(floors, key=lambda each: STRICTNESS[each.decision]) if floors else None,
            trial=tried(outcomes, decision, failed) if policy.tries else None,
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
            info=self.asked(submission).info,
            decided=now,
        )


def findings_of(answer: ModerationResult) -> list[Finding]:
    """Normalise an answer: a finding for every label, and one for an overall level that no label reaches."""
    service, frame = answer.service, answer.frame
    overall = answer.risk_level or "unknown"
    highest = -1
    found: list[Finding] = []
    for label in answer.labels:
        name, level, source = label.name, label.level, "label"
        if level is None:
            level, source = ("none", "label") if name in _KNOWN_BY_NAME else (overall, "overall")
        found.append(_new(Finding, (service, name, level, label.confidence, source, frame)))
        rank = RANK.get(level, -1)
        if rank > highest:
            highest = rank
    if overall not in RANK or RANK[overall] > highest:
        found.append(Finding(service, OVERALL, overall, None, "overall", frame))
    return found


def tried(outcomes: Sequence[Routed], decision: Decision, others: Sequence[Decision] = ()) -> Trial | None:
    """
    Return what an image would lead to, did every rule count for it; None where that is `decision`, which it leads to.

    `others` are decisions that no rule has a part in.
    """
    changed = [(each.decision, each.tried) for each in outcomes if each.tried is not None]
    if not changed:
        return None
    would = [each.decision if each.tried is None else each.tried.decision for each in outcomes]
    then = max([*would, *others], key=STRICTNESS.__getitem__)
    if then is decision:
        return None
    if STRICTNESS[then] > STRICTNESS[decision]:
        rules = [each.rule for _, each in changed if each.decision is then]
    else:  # all that were stricter have become milder
        rules = [each.rule for before, each in changed if STRICTNESS[before] > STRICTNESS[then]]
    return Trial(then, tuple(dict.fromkeys(rules)))


def outranks_overall(answer: ModerationResult) -> bool:
    """Whether a label's own level is above the overall one, which the vendor says is the highest."""
    overall = RANK.get(answer.risk_level or "", len(RANK))
    return any(RANK.get(label.level or "", -1) > overall for label in answer.labels)


def _strictest(outcomes: Sequence[Routed], failed: Sequence[Decision]) -> Decision:
    """The strictest decision; review where there is none."""
    if failed or not outcomes:
        decisions = [*(each.decision for each in outcomes), *failed]
        return max(decisions, key=STRICTNESS.__getitem__, default=Decision.REVIEW)
    return max(outcomes, key=_strictness).decision


def _context(submission: Submission) -> Mapping[str, Any]:
    return {} if "context" in submission.omitted else orjson.loads(submission.context)


def _overall(answers: Sequence[ModerationResult]) -> str | None:
    """The highest overall level that was answered; one that is unknown is above all."""
    levels = [answer.risk_level or "unknown" for answer in answers]
    return levels[0] if len(levels) == 1 else max(levels, key=lambda level: RANK.get(level, len(RANK)), default=None)
