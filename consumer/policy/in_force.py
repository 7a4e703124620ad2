"""
The policy that decides at the moment, which may be another one later; and what it is made ready for. Pure.
"""

from collections.abc import Callable

from consumer.policy.candidate import Candidate
from consumer.policy.decide import Decide, Deciding
from consumer.policy.schema import Policy
from consumer.records import Asked, Assessment, Decision, Submission, Verdict


class ReadyPolicy:
    """A policy, and that in shadow, made ready. See `Judge`."""

    def __init__(self, policy: Policy) -> None:
        deciding = Deciding(policy)
        self.policy = policy
        self.name = deciding.name
        self.most_services = policy.settings.most_services
        """That are asked about one image, at the most."""
        self.asked: Callable[[Submission], Asked] = deciding.asked
        self._decide: Decide = deciding.decide
        self.fall_back = deciding.fall_back
        if policy.shadow is not None:
            self._decide = Candidate(deciding.decide, deciding.asked, policy.shadow).decide

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """See `Judge`."""
        return self._decide(submission, assessment, now)


class InForce:
    """Decides by the policy that an image was asked by; by the one in force where no call was made."""

    def __init__(self, ready: ReadyPolicy) -> None:
        self._ready = ready

    def ready(self) -> ReadyPolicy:
        """The policy in force."""
        return self._ready

    def replace(self, ready: ReadyPolicy) -> None:
        """Let another one be in force from now on."""
        self._ready = ready

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the verdict at `now` (unix seconds)."""
        return (assessment.judge or self._ready).decide(submission, assessment, now)

    def fall_back(
        self, submission: Submission, assessment: Assessment, decided: Decision | None, now: float
    ) -> Verdict:
        """See `Judge`."""
        return (assessment.judge or self._ready).fall_back(submission, assessment, decided, now)
