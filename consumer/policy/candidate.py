"""
What a second policy, in shadow, would decide beside the one that does. No call is made for it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from consumer.observability.harmless import harmless
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Submission, Trial, Verdict


class Candidate:
    """Decides as another does, and says beside what a policy in shadow would have decided of the same answers."""

    def __init__(
        self, decide: Callable[[Submission, Assessment, float], Verdict], asked: PolicySettings, policy: Policy
    ) -> None:
        """`asked` is the policy that the provider is asked for."""
        self._decide = decide
        self._deciding = Deciding(policy)
        self._services = frozenset(policy.settings.services)
        self._unknown = tuple(_unknown(asked, policy.settings))

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the other's verdict, whatever becomes of what is said beside."""
        verdict = self._decide(submission, assessment, now)
        with harmless("shadow"):
            return replace(verdict, candidate=self._tried(submission, assessment, now))
        return verdict

    def _tried(self, submission: Submission, assessment: Assessment, now: float) -> Trial:
        would = self._deciding.decide(submission, self._its_part(assessment), now)
        rules = tuple(dict.fromkeys(reason.rule for reason in would.reasons))
        return Trial(would.decision, rules, self._deciding.name, self._unknown)

    def _its_part(self, assessment: Assessment) -> Assessment:
        """What it would know: of services that it does not name nothing."""
        failures = [each for each in assessment.failures if not each.service or each.service in self._services]
        return replace(
            assessment,
            answers=tuple(each for each in assessment.answers if each.service in self._services),
            failure=failures[0] if failures else None,
            later_failures=tuple(failures[1:]),
        )


def _unknown(asked: PolicySettings, settings: PolicySettings) -> Iterator[str]:
    yield from (f"services.{each}" for each in settings.services if each not in asked.services)
    yield from (f"info.{each}" for each in settings.info if each not in asked.info)
