"""
The floors that newer verdicts of machines set, by upload: what an approval of an older verdict must not go below. Pure.

A verdict that takes another's place may carry the floor of a pinned rule that the reviewer has not seen. It is written
into the topic of what people decided, so that every replica knows it, and after a restart too.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from consumer.records import Decision, Floor
from consumer.reviews.judging import HUMAN, floor_of, stricter
from consumer.reviews.writing import sequence_of

SCHEMA = "moderation.floor.v1"


class Noted(NamedTuple):
    """What the verdict with this sequence asks for at least."""

    sequence: int
    floor: Floor | None


@dataclass(slots=True)
class Floors:
    """At most `most` uploads; those that were noted first go first, and are counted."""

    most: int = 100_000
    forgotten: int = 0
    _by_upload: dict[bytes, Noted] = field(default_factory=dict)

    def line(self, verdict: Mapping[str, Any]) -> tuple[bytes, bytes] | None:
        """
        Return the key and value to be written where replicas remember, and then to be read here; None where a verdict
        says nothing new.
        """
        if verdict.get("decided_by") == HUMAN or not isinstance(verdict.get("supersedes"), str):
            return None
        upload, noted = upload_of(verdict), Noted(sequence_of(verdict), floor_of(verdict))
        if noted.floor is None and upload not in self._by_upload:
            return None
        if self._with(upload, noted) == self._by_upload.get(upload):
            return None
        return _key(verdict), _written(upload, noted)

    def read(self, value: bytes) -> bool:
        """Take in what was written; say whether it is such a value."""
        try:
            found = orjson.loads(value)
            if found["schema"] != SCHEMA:
                return False
            rule, decision = found["rule"], found["decision"]
            floor = None if rule is None else Floor(str(rule), Decision(decision))
            self._take(bytes.fromhex(found["upload"]), Noted(int(found["sequence"]), floor))
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def above(self, verdict: Mapping[str, Any]) -> Floor | None:
        """The floor that the newest verdict about the same upload sets, unless it is older; None where it sets none."""
        noted = self._by_upload.get(upload_of(verdict))
        return noted.floor if noted is not None and noted.sequence >= sequence_of(verdict) else None

    def _with(self, upload: bytes, noted: Noted) -> Noted:
        """What counts with another verdict: the newest one, and of two with one sequence the stricter floor."""
        known = self._by_upload.get(upload)
        if known is None or known.sequence < noted.sequence:
            return noted
        if known.sequence > noted.sequence:
            return known
        return Noted(noted.sequence, stricter(known.floor, noted.floor))

    def _take(self, upload: bytes, noted: Noted) -> None:
        counts = self._with(upload, noted)
        self._by_upload.pop(upload, None)
        self._by_upload[upload] = counts
        if len(self._by_upload) > self.most:
            del self._by_upload[next(iter(self._by_upload))]
            self.forgotten += 1


def upload_of(verdict: Mapping[str, Any]) -> bytes:
    """Name the upload that a verdict is about, which is the same in all that supersede each other; 16 bytes."""
    event = verdict["event"]
    place = [verdict["tenant"], event["topic"], event["partition"], event["offset"], verdict["image"]["id"]]
    return hashlib.sha256(orjson.dumps(place)).digest()[:16]


def _key(verdict: Mapping[str, Any]) -> bytes:
    """Of the verdict's own, so that no replica's line takes another's place."""
    return hashlib.sha256(orjson.dumps(["floor", verdict["verdict_id"]])).digest()[:16]


def _written(upload: bytes, noted: Noted) -> bytes:
    floor = noted.floor
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "upload": upload.hex(),
            "sequence": noted.sequence,
            "rule": floor.rule if floor else None,
            "decision": floor.decision.value if floor else None,
        }
    )
