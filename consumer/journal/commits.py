"""
Which commits in the group are this service's: their metadata ends with an HMAC over what they commit.

    mc2 1763632801.123 9f3a6b0c 2026-11 5f0c…
                                │       └── HMAC-SHA256, 64 hex digits
                                └── which key; what stands before it: `commit_metadata.py`

Every member of a group may commit any offset of any of its partitions, and what a stranger commits would never be
judged. What is signed is, in the encoding of `signatures.py`:

    moderation-commit-v1, group, topic, partition, offset, the metadata before the key

A genuine commit that somebody writes again only sets the group back: what is read again is found in the outputs.
Values only.
"""

from collections.abc import Callable
from dataclasses import dataclass

from consumer.journal.commit_metadata import CommitMetadata
from consumer.journal.signatures import Keyring
from consumer.records import Partition


@dataclass(frozen=True, slots=True)
class Commits:
    """How one process of a group writes its commits, and which commits it believes to be the service's."""

    group: str
    owner: str  # the process in its commits
    keyring: Keyring
    unsigned_until: float  # unix seconds: until then commits without a signature are believed as well
    now: Callable[[], float]  # unix seconds

    @property
    def are_signed(self) -> bool:
        """Whether this process signs its commits, and so can tell a stranger's from them."""
        return self.keyring.signs

    def sign(self, partition: Partition, offset: int, metadata: str) -> str:
        """Return the metadata of a commit as it is sent; unchanged where no key signs."""
        if not self.are_signed:
            return metadata
        said = metadata.replace("mc1", "mc2", 1)
        return f"{said} {self.keyring.seal(self._parts(partition, offset, said))}"

    def read(self, partition: Partition, offset: int, metadata: str) -> CommitMetadata | None:
        """What a commit says, or None where it is not this service's, or not believed to be."""
        found = CommitMetadata.read(metadata)
        if found is None or not self.are_signed:
            return found
        if not metadata.startswith("mc2 "):
            return found if self.now() < self.unsigned_until else None
        said, key_id, mac = metadata.rsplit(" ", 2)
        return found if self.keyring.is_seal(key_id, mac, self._parts(partition, offset, said)) else None

    def _parts(self, partition: Partition, offset: int, said: str) -> list[bytes]:
        return [
            each.encode()
            for each in ("moderation-commit-v1", self.group, partition.topic, f"{partition.number}", f"{offset}", said)
        ]
