"""
A person's verdict, and what is remembered of it, as they are written. Pure.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.signatures import Keyring
from consumer.records import Decision, Delivery, SourceId, source_id
from consumer.reviews.judging import HUMAN
from consumer.reviews.memory import Remembered
from consumer.reviews.review import Review
from consumer.verdicts.bounds import MOST_VALUE, rfc3339, text
from consumer.verdicts.encode import Encoded, EncodedHeaders
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.value import ENGINE

SEAL = "moderation_seal"
_TRACE = ("traceparent", "tracestate")
_DROPPED = ("shadow", "review")
_LEFT_OUT: Mapping[str, Any] = {"findings": [], "reasons": [], "context": None, "attrs": None}
"""What is left out where the verdict would be too large."""


def final_value(
    old: Mapping[str, Any], name: SourceId, decision: Decision, holds: Remembered, review: Review | None, now: float
) -> bytes:
    """Write the verdict by which a person's decision takes the place of another verdict, at `now` (unix seconds)."""
    made = {
        **{member: content for member, content in old.items() if member not in _DROPPED},
        "verdict_id": name,
        "supersedes": old["verdict_id"],
        "cause": HUMAN,
        "sequence": sequence_of(old) + 1,
        "decision": decision.value,
        "decided_by": HUMAN,
        "provisional": False,
        "provider": {**old["provider"], "attempts": 0, "billed_calls": 0},
        "review": {
            "topic": holds.place.topic,
            "partition": holds.place.partition,
            "offset": holds.place.offset,
            "reviewer": holds.reviewer,
            "decided_at": holds.decided_at,
            "overrides": holds.floor,
            "labels_confirmed": list(review.labels_confirmed) if review else [],
            "labels_rejected": list(review.labels_rejected) if review else [],
        },
        "timing": {**old["timing"], "decided": rfc3339(now)},
        "engine": ENGINE,
    }
    value = orjson.dumps(made)
    if len(value) <= MOST_VALUE:
        return value
    omitted = list(dict.fromkeys([*(old.get("omitted") or ()), *_LEFT_OUT, "review.labels"]))
    labels: dict[str, list[str]] = {"labels_confirmed": [], "labels_rejected": []}
    return orjson.dumps({**made, **_LEFT_OUT, "omitted": omitted, "review": {**made["review"], **labels}})


def sequence_of(verdict: Mapping[str, Any]) -> int:
    """How many verdicts stand before it in its chain, and itself; releases before it do not say so."""
    found = verdict.get("sequence", 1)
    if not isinstance(found, int):
        raise TypeError("sequence is no integer")
    return found


def final_outcome(
    group: str, topic: str, delivery: Delivery, key: bytes | None, value: bytes, old: Mapping[str, bytes | None]
) -> Outcome:
    """
    Make the record of a person's verdict: the outcome of `delivery`, a decision or the verdict that contradicts one.

    It has the key and the trace of the verdict whose place it takes.
    """
    source = Source(source_id(group, delivery), delivery.topic_partition, delivery.offset)
    verdict = orjson.loads(value)
    headers: EncodedHeaders = [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"moderation.verdict.v1"),
        ("ce_source", f"/moderation-consumer/{group}".encode()),
        ("content-type", b"application/json"),
        *OF_VERDICT.write_source(group, source),
        ("source_image", text(verdict["image"]["id"], 1_024).encode()),
        ("sequence", b"%d" % verdict["sequence"]),
        *((name, old[name]) for name in _TRACE if old.get(name)),
    ]
    about = {"decision": verdict["decision"], "decided_by": HUMAN}
    return Outcome(source=source, names=OF_VERDICT, topic=topic, record=Encoded(key, value, headers), about=about)


def person_record(group: str, topic: str, key: bytes, value: bytes, keyring: Keyring) -> Encoded:
    """Make the record of what is remembered, sealed where a key signs."""
    headers: EncodedHeaders = [("content-type", b"application/json")]
    if keyring.signs:
        headers.append((SEAL, keyring.seal(_parts(group, topic, key, value)).encode()))
    return Encoded(key, value, headers)


def is_genuine(group: str, topic: str, key: bytes, value: bytes, seal: bytes | None, keyring: Keyring) -> bool:
    """Whether one of these keys sealed what is remembered; everything is believed where there are none."""
    if keyring.is_empty:
        return True
    key_id, _, mac = (seal or b"").decode(errors="replace").partition(" ")
    return keyring.is_seal(key_id, mac, _parts(group, topic, key, value))


def _parts(group: str, topic: str, key: bytes, value: bytes) -> list[bytes | None]:
    return [b"moderation-person-v1", group.encode(), topic.encode(), key, value]
