"""
What a second policy, in shadow, would decide beside the one that does. No call is made for it.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from consumer.observability.harmless import harmless
from consumer.policy.decide import Decide, Deciding
from consumer.policy.schema import Policy
from consumer.records import Asked, Assessment, CandidateTrial, Submission, Verdict


class Candidate:
    """Decides as another does, and says beside what a policy in shadow would have decided of the same answers."""

    def __init__(
        self,
        decide: Decide,
        asked: Callable[[Submission], Asked],
        policy: Policy,
    ) -> None:
        """`asked` says what the provider is asked about an image, for the policy that decides."""
        self._decide = decide
        self._asked = asked
        self._deciding = Deciding(policy)

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the other's verdict, whatever becomes of what is said beside."""
        verdict = self._decide(submission, assessment, now)
        with harmless("shadow"):
            return verdict._replace(candidate=self._tried(submission, assessment, now))
        return verdict

    def _tried(self, submission: Submission, assessment: Assessment, now: float) -> CandidateTrial:
        wanted = self._deciding.asked(submission)
        would = self._deciding.decide(submission, _part_of(assessment, wanted.services), now)
        rules = tuple(dict.fromkeys(reason.rule for reason in would.reasons))
        missing = tuple(unknown(self._asked(submission), wanted))
        return CandidateTrial(would.decision, rules, self._deciding.name, missing)


def _part_of(assessment: Assessment, services: Collection[str]) -> Assessment:
    """What is known where these services are asked: of others nothing."""
    failures = [each for each in assessment.failures if not each.service or each.service in services]
    return replace(
        assessment,
        answers=tuple(each for each in assessment.answers if each.service in services),
        failure=failures[0] if failures else None,
        later_failures=tuple(failures[1:]),
    )


def unknown(asked: Asked, wanted: Asked) -> Iterator[str]:
    """Name what was wanted and not asked."""
    yield from (f"services.{each}" for each in wanted.services if each not in asked.services)
    yield from (f"info.{each}" for each in wanted.info if each not in asked.info)
