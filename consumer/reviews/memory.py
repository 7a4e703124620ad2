"""
What people decided, by what it holds for. Pure.

A decision holds for the content of an image where this service knows that itself, by the hash of bytes that it had or
by the version that it asked for, else for the one upload that it is about. What an uploader chooses, a name, a hash or
a revision, never makes an approval hold; a name may make a removal hold (`reviews.remove_by_name`).
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from consumer.records import STRICTNESS, Decision
from consumer.reviews.review import VerdictAt

SCHEMA = "moderation.person.v1"
DAY = 86_400.0  # seconds
_KNOWN = ("sha256:", "version:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a person decided. Of decisions about the same content the later one holds; of one verdict the stricter."""

    decision: Decision  # pass or block
    at: float  # unix seconds: when Kafka took it
    place: VerdictAt  # of the decision's record
    verdict_id: str  # that it is about
    reviewer: str
    decided_at: str
    floor: str | None = None  # the pinned rule that a lead overrode

    @property
    def rank(self) -> tuple[float, int, VerdictAt]:
        return self.at, STRICTNESS[self.decision], self.place


def merged(known: Remembered | None, new: Remembered) -> Remembered:
    """What holds of two decisions, in whatever order they come."""
    if known is None or known.place == new.place:
        return new
    if known.verdict_id == new.verdict_id and known.decision is not new.decision:
        stricter = max(known, new, key=lambda each: STRICTNESS[each.decision])
        return replace(stricter, at=max(known.at, new.at))
    return max(known, new, key=lambda each: each.rank)


def content_key(verdict: Mapping[str, Any]) -> bytes:
    """Name what a decision about that verdict holds for: its content, or else its upload; 16 bytes."""
    identity = verdict.get("identity")
    if not isinstance(identity, str) or not identity.startswith(_KNOWN):
        event = verdict["event"]
        place = [event["topic"], event["partition"], event["offset"], event["id"], event["time"]]
        identity = orjson.dumps(["upload", *place, verdict["image"]["id"]]).decode()
    return _digest(verdict["tenant"], identity)


def name_key(verdict: Mapping[str, Any]) -> bytes | None:
    """Name the object, or the URL without its query; None where the verdict tells neither."""
    ref, url = verdict["image"].get("ref"), verdict["image"].get("url")
    if ref:
        return _digest(verdict["tenant"], orjson.dumps(["object", ref["store"], ref["bucket"], ref["key"]]).decode())
    return _digest(verdict["tenant"], orjson.dumps(["url", url.partition("?")[0]]).decode()) if url else None


def _digest(tenant: str, identity: str) -> bytes:
    return hashlib.sha256(orjson.dumps([tenant, identity])).digest()[:16]


def written(remembered: Remembered) -> bytes:
    """Write a decision for the topic of what people decided."""
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "decision": remembered.decision.value,
            "at": remembered.at,
            "place": list(remembered.place),
            "verdict_id": remembered.verdict_id,
            "reviewer": remembered.reviewer,
            "decided_at": remembered.decided_at,
            "floor": remembered.floor,
        }
    )


def read(value: bytes) -> Remembered | None:
    """Read it; None where it is none."""
    try:
        found = orjson.loads(value)
        if found["schema"] != SCHEMA:
            return None
        topic, partition, offset = found["place"]
        return Remembered(
            decision=Decision(found["decision"]),
            at=float(found["at"]),
            place=VerdictAt(str(topic), int(partition), int(offset)),
            verdict_id=str(found["verdict_id"]),
            reviewer=str(found["reviewer"]),
            decided_at=str(found["decided_at"]),
            floor=None if found["floor"] is None else str(found["floor"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(slots=True)
class Memory:
    """At most `most` decisions, packed; the oldest are forgotten first, by the day."""

    most: int
    keep: float  # seconds
    forgotten: int = 0
    size: int = 0  # bytes
    _held: dict[bytes, bytes] = field(default_factory=dict)
    _days: dict[int, set[bytes]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._held)

    def of(self, key: bytes, now: float) -> Remembered | None:
        """What holds for a content at `now` (unix seconds)."""
        packed = self._held.get(key)
        found = read(packed) if packed is not None else None
        return found if found is not None and found.at + self.keep > now else None

    def note(self, key: bytes, new: Remembered, now: float) -> Remembered:
        """Take in a decision, whether it is new or read again, and return what holds now."""
        before = self.of(key, now)
        holds = merged(before, new)
        if holds != before and holds.at + self.keep > now:
            self.forget(key)
            packed = bytes(memoryview(written(holds)))  # a copy: orjson's own keeps 4 KiB
            self._held[key] = packed
            self.size += _size(key, packed)
            self._days.setdefault(int(holds.at // DAY), set()).add(key)
            self._bound(now)
        return holds

    def forget(self, key: bytes) -> None:
        """Forget what was remembered of a content."""
        packed = self._held.pop(key, None)
        if packed is None:
            return
        self.size -= _size(key, packed)
        if (found := read(packed)) is not None:
            self._leave_day(int(found.at // DAY), key)

    def _leave_day(self, day: int, key: bytes) -> None:
        self._days[day].discard(key)
        if not self._days[day]:
            del self._days[day]

    def _bound(self, now: float) -> None:
        while self._days and ((oldest := min(self._days)) + 1) * DAY + self.keep <= now:
            for key in list(self._days[oldest]):
                self.forget(key)
        while len(self._held) > self.most:
            self.forget(next(iter(self._days[min(self._days)])))
            self.forgotten += 1


def _size(key: bytes, packed: bytes) -> int:
    """Bytes of memory, with what a place in two tables takes."""
    return sys.getsizeof(key) + sys.getsizeof(packed) + 200
