"""
The headers of a verdict that takes the place of an earlier one, and its signature.

It is no outcome of a message: the journal knows outcomes by `source_group` (`headers.py`), which such a verdict does
not have, so that no service takes it for something that it has done itself. The group stands in `superseding_group`.

Its signature is written as an outcome's is (`signatures.py`), with dashes for what it does not have. Signed are

    moderation-outcome-v1, group, superseding, id, null, null, null, topic of the verdict, its Kafka key,
    the SHA-256 of its value, published, a dash, a dash

What it is about stands in the value. Values only.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256

from consumer.journal.signatures import Keyring

GROUP = "superseding_group"
KIND = "superseding"
_HEADER = re.compile(rb"v1 ([A-Za-z0-9._-]{1,32}) (\d{1,16}) - - ([0-9a-f]{64})")
_NOTHING = b"-"


@dataclass(frozen=True, slots=True)
class SupersedingClaim:
    """What such a verdict says of itself, before anybody knows who wrote it."""

    group: str
    id: str
    topic: str
    key: bytes | None = field(repr=False)
    value: bytes = field(repr=False)

    def sign(self, keyring: Keyring, published: float) -> bytes:
        """Return the header of a verdict that is published at that moment (unix seconds)."""
        said = b"%d" % max(0, int(published * 1000))
        key_id, mac = keyring.seal(self._parts(said)).split(" ")
        return b"v1 %b %b - - %b" % (key_id.encode(), said, mac.encode())

    def is_genuine(self, keyring: Keyring, header: bytes) -> bool:
        """Whether one of these keys signed it."""
        found = _HEADER.fullmatch(header)
        return found is not None and keyring.is_seal(found[1].decode(), found[3].decode(), self._parts(found[2]))

    def _parts(self, said: bytes) -> list[bytes | None]:
        return [
            b"moderation-outcome-v1", self.group.encode(), KIND.encode(), self.id.encode(), None, None, None,
            self.topic.encode(), self.key, sha256(self.value).digest(), said, _NOTHING, _NOTHING,
        ]  # fmt: skip
