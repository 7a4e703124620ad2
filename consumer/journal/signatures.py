"""
Whether an outcome was written by this service: a header with an HMAC over all that the journal believes of it.

    moderation_signature: v1 2026-11 1763632801123 9182 1763632799000 5f0c…
                          │  │       │             │    │             └── HMAC-SHA256, 64 hex digits
                          │  │       │             │    └── since when the journal of that partition had to be read then
                          │  │       │             └── the offset that was committed last of the source's partition
                          │  │       └── when it was published; both times in unix milliseconds
                          │  └── which key
                          └── version

The outputs are the journal, so whoever may write to them could else make the service believe that an image is judged:
it would never be asked about. What is signed is a list of parts, each as its length in bytes, a colon and its bytes; a
part that is null is a dash:

    moderation-outcome-v1, group, kind (of `headers.py`), id, topic, partition and offset of the source,
    topic of the outcome, its Kafka key, the SHA-256 of its value, published, committed, journal_from

The decision stands in the value. A genuine outcome that is written again is the same outcome. Values only.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from consumer.journal.headers import Source, SourceHeaders
from consumer.records import Partition

HEADER = "moderation_signature"
_NONE = b"-"
_HEADER = re.compile(rb"v1 ([A-Za-z0-9._-]{1,32}) (\d{1,16}) (\d{1,19}|-) (\d{1,16}|-) ([0-9a-f]{64})")


class CommitMark(NamedTuple):
    """What was committed last of a partition."""

    offset: int
    journal_from: float  # unix seconds; see `commit_metadata.py`


@dataclass(frozen=True, slots=True)
class Claim:
    """What an outcome says of itself, before anybody knows who wrote it."""

    group: str
    names: SourceHeaders
    source: Source
    topic: str  # of the outcome
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)


class Signed(NamedTuple):
    """What a genuine signature says besides."""

    published: float  # unix seconds
    committed: CommitMark | None  # None where nothing was committed of the source's partition yet


class Keyring:
    """The keys whose signatures count, and the one that signs."""

    def __init__(self, keys: Mapping[str, bytes], sign_with: str | None = None) -> None:
        """`sign_with` is one of the keys' ids, or None: nothing is signed yet."""
        self._keys = {key_id.encode(): hmac.new(key, digestmod=sha256) for key_id, key in keys.items()}
        self._sign_with = None if sign_with is None else sign_with.encode()

    @property
    def is_empty(self) -> bool:
        """Whether there is no key: nothing can be told from what others write."""
        return not self._keys

    @property
    def signs(self) -> bool:
        """Whether new outcomes are signed."""
        return self._sign_with is not None

    def sign(self, claim: Claim, published: float, committed: CommitMark | None) -> bytes:
        """Return the header of an outcome that is published at that moment (unix seconds)."""
        if self._sign_with is None:
            raise ValueError("no key signs")
        said = [
            b"%d" % max(0, int(published * 1000)),
            _NONE if committed is None else b"%d" % committed.offset,
            _NONE if committed is None else b"%d" % max(0, int(committed.journal_from * 1000)),
        ]
        mac = _mac(self._keys[self._sign_with], _signed_bytes(claim, said))
        return b" ".join([b"v1", self._sign_with, *said, mac])

    def read(self, claim: Claim, header: bytes) -> Signed | None:
        """Return what a signature says, or None where it is none of these keys' about this claim."""
        found = _HEADER.fullmatch(header)
        if found is None or (key := self._keys.get(found[1])) is None:
            return None
        said = [found[2], found[3], found[4]]
        if not hmac.compare_digest(_mac(key, _signed_bytes(claim, said)), found[5]):
            return None
        published, offset, journal_from = said
        known = _NONE not in (offset, journal_from)
        return Signed(int(published) / 1000, CommitMark(int(offset), int(journal_from) / 1000) if known else None)

    def seal(self, parts: Iterable[bytes | None]) -> str:
        """Return the key's id and the HMAC of a list of parts that is no outcome's, with a blank between them."""
        if self._sign_with is None:
            raise ValueError("no key signs")
        mac = _mac(self._keys[self._sign_with], b"".join(map(_part, parts)))
        return f"{self._sign_with.decode()} {mac.decode()}"

    def is_seal(self, key_id: str, mac: str, parts: Iterable[bytes | None]) -> bool:
        """Whether one of these keys made that HMAC of these parts."""
        key = self._keys.get(key_id.encode())
        return key is not None and hmac.compare_digest(_mac(key, b"".join(map(_part, parts))), mac.encode())

    def knows(self, header: bytes) -> bool:
        """Whether a signature names one of these keys, whoever wrote it."""
        found = _HEADER.fullmatch(header)
        return found is not None and found[1] in self._keys


def _mac(key: hmac.HMAC, signed: bytes) -> bytes:
    """The HMAC in hex digits. What depends on the key alone is done once, where the key is read."""
    made = key.copy()
    made.update(signed)
    return made.hexdigest().encode()


def _signed_bytes(claim: Claim, said: list[bytes]) -> bytes:
    source, key, value = claim.source, claim.key, claim.value
    name, offset = source.id.encode(), b"%d" % source.offset
    published, committed, journal_from = said
    return b"%b%d:%b%b%d:%b%b%b%b%d:%b%d:%b%d:%b" % (
        _beginning(claim.group, claim.names.kind),
        len(name), name,
        _place(source.partition),
        len(offset), offset,
        _text_part(claim.topic),
        _part(key),
        _NONE if value is None else b"32:" + sha256(value).digest(),
        len(published), published,
        len(committed), committed,
        len(journal_from), journal_from,
    )  # fmt: skip


# The same in most outcomes, and a third of what verifying one costs.


@lru_cache(maxsize=16)
def _beginning(group: str, kind: str) -> bytes:
    return b"21:moderation-outcome-v1" + _part(group.encode()) + _part(kind.encode())


@lru_cache(maxsize=1_024)
def _place(partition: Partition) -> bytes:
    return _part(partition.topic.encode()) + _part(b"%d" % partition.number)


@lru_cache(maxsize=16)
def _text_part(text: str) -> bytes:
    return _part(text.encode())


def _part(content: bytes | None) -> bytes:
    return _NONE if content is None else b"%d:%b" % (len(content), content)
