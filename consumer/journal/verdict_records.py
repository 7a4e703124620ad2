"""
Which records of the outputs are verdicts of this group, and of those which are believed. Pure.

A verdict that is decided again is signed again. Where the service has a key, what others wrote into the outputs must
not get its signature that way, nor keep a genuine verdict from being decided again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from consumer.journal import headers, superseding
from consumer.journal.signatures import HEADER, Claim, Keyring

Kind = Literal["upload", "superseding", "other"]
_PERSON = b'"human"'


@dataclass(frozen=True, slots=True)
class Met:
    """A record of an output."""

    kind: Kind  # by its headers; what is neither can only be a person's verdict
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes = field(repr=False)  # a URL in it may have its query
    headers: Mapping[str, bytes | None] = field(repr=False)

    @property
    def may_be_a_persons(self) -> bool:
        """Whether it can be a person's verdict; the value says whether it is."""
        return _PERSON in self.value

    @property
    def is_signed(self) -> bool:
        """Whether somebody signed it."""
        return HEADER in self.headers


def met(record: Any, group: str) -> Met | None:
    """What an aiokafka record is; None where it is another group's, or nothing that counts here."""
    if record.value is None:
        return None
    told, ours = dict(record.headers), group.encode()
    kind: Kind = "other"
    if told.get(superseding.GROUP) == ours:
        kind = "superseding"
    elif told.get(headers.GROUP) == ours:
        kind = "upload"
    found = Met(kind, record.topic, record.partition, record.offset, record.key, record.value, told)
    return found if kind != "other" or found.may_be_a_persons else None


class Believing:
    """Believes what the service's keys signed; everything where there are none."""

    def __init__(self, group: str, keyring: Keyring, unsigned_until: float, now: Callable[[], float]) -> None:
        """Unsigned verdicts are believed until that moment; `now` returns unix seconds."""
        self._group = group
        self._keyring = keyring
        self._unsigned_until = unsigned_until
        self._now = now

    @property
    def has_keys(self) -> bool:
        """Whether it takes more than a place in the topic to be believed."""
        return not self._keyring.is_empty

    def believes(self, record: Met) -> bool:
        """Whether it is this group's own, an upload's or one that took its place."""
        header = record.headers.get(HEADER)
        if self._keyring.is_empty:
            return True
        if header is not None and self._is_genuine(record, header):
            return True
        is_forged = header is not None and self._keyring.knows(header)
        return not is_forged and self._now() < self._unsigned_until

    def _is_genuine(self, record: Met, header: bytes) -> bool:
        if record.kind == "superseding":
            name = (record.headers.get("ce_id") or b"").decode(errors="replace")
            claim = superseding.SupersedingClaim(self._group, name, record.topic, record.key, record.value)
            return claim.is_genuine(self._keyring, header)
        source = headers.OF_VERDICT.read(self._group, record.headers)
        if source is None:
            return False
        said = Claim(self._group, headers.OF_VERDICT, source, record.topic, record.key, record.value)
        return self._keyring.read(said, header) is not None
