"""
Which policy an image is asked and decided by: the one in force when its first call departs, and no other after that.

Until then a policy that has taken its place is followed at once where it asks for the same; where it does not, the call
is given up before anything is sent, and the image is asked about anew.
"""

from collections.abc import Callable

from consumer.errors import ConsumerError
from consumer.records import Judge, Submission


class PolicyReplaced(ConsumerError):
    """The policy in force asks for something else by now: nothing was sent."""


class JudgedBy:
    """The policy of one image; its requests share it."""

    def __init__(self, in_force: Callable[[], Judge], submission: Submission) -> None:
        self._in_force = in_force
        self._submission = submission
        self._policy = in_force()
        self._is_final = False
        self.wanted = self._policy.asked(submission)

    @property
    def policy(self) -> Judge | None:
        """The one in force when the first call departed; None where none has."""
        return self._policy if self._is_final else None

    def look(self) -> None:
        """Follow the policy in force, if no call has departed. `PolicyReplaced` escapes where it asks otherwise."""
        if self._is_final or (policy := self._in_force()) is self._policy:
            return
        if policy.asked(self._submission) != self.wanted:
            raise PolicyReplaced
        self._policy = policy

    def departs(self) -> None:
        """Note that a call departs, by the policy that was looked at in the same moment."""
        self._is_final = True
