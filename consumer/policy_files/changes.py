"""
What is done about what was read of a policy's files. Pure.

    as taken, or as refused ──► nothing        otherwise: once ──► read again        the same twice ──► judged

Twice, because a file may be half written, or one of two files new and the other still old: only what stays is judged.
Whatever replaces files, by a rename or a link as Kubernetes does or in their places, is met by the same rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from consumer.policy.schema import Policy


class Next(StrEnum):
    """What to do."""

    NOTHING = "nothing"
    READ_AGAIN = "read again"
    JUDGE = "judge"


@dataclass(slots=True)
class Changes:
    """Digests: of the files that are taken, of those that were refused since, and of those that were read once."""

    taken: str | None = None
    refused: str | None = None
    _once: str | None = None

    def read(self, digest: str) -> Next:
        """Say what to do about files with this digest, which were read now."""
        if digest == self.taken:
            self.refused = None
        if digest in (self.taken, self.refused):
            self._once = None
            return Next.NOTHING
        if digest != self._once:
            self._once = digest
            return Next.READ_AGAIN
        self._once = None
        return Next.JUDGE

    def take(self, digest: str) -> None:
        """Note that the policy in these files is in force."""
        self.taken, self.refused = digest, None

    def refuse(self, digest: str) -> None:
        """Note that these files are refused; what was taken stays."""
        self.refused = digest

    def judge_again(self) -> None:
        """Judge what was refused once more: somebody asks for it."""
        self.refused = None


def says_the_same(one: Policy, other: Policy) -> bool:
    """Whether two policies decide alike, and what is in shadow beside them; how they are written does not count."""
    return one.sha256 == other.sha256 and (one.shadow and one.shadow.sha256) == (other.shadow and other.shadow.sha256)


def noteworthy(before: Policy, after: Policy) -> Iterator[str]:
    """What an operator should know of a change, though it takes effect."""
    old, new = before.settings, after.settings
    if before.sha256 != after.sha256 and new.version <= old.version:
        yield f"version is {new.version}, and was {old.version} of a policy that says something else: raise it (P016)"
    if added := [each for each in new.services if each not in old.services]:
        calls = f"{len(new.services)} calls an image instead of {len(old.services)}"
        yield f"services adds {', '.join(added)}: {calls}, each billed, of the same quota (P017)"
