"""
The ledger's lines as Kafka records, `moderation.feedback.v1`, and which of them are believed. Pure.

The key names the submission, so that all that is said of one stands in one partition, in the order of its writing.
Where the service has keys (`identity`), each line is sealed with an HMAC over

    moderation-feedback-v1, group, topic, key, SHA-256 of the value

because who may write votes here may have the provider told that an image is harmless.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from consumer.feedback import REASONS, SCENES, About, Line, NotSent, Place, Sent, Vote
from consumer.journal.signatures import Keyring
from consumer.locations import ObjectRef
from consumer.verdicts.encode import Encoded

SCHEMA: Final = "moderation.feedback.v1"
HEADER: Final = "feedback_signature"
MOST_BYTES: Final = 65_536
_SEAL = re.compile(rb"v1 ([A-Za-z0-9._-]{1,32}) ([0-9a-f]{64})")


class Unread(ValueError):
    """It is no line of a ledger."""


def encoded(line: Line) -> Encoded:
    """Write a line."""
    name = _KINDS[type(line)]
    members = asdict(line) | {"about": line.about._asdict()}
    if isinstance(line, Vote):
        members["place"] = line.place._asdict()
    value = orjson.dumps({"schema": SCHEMA, "kind": name, **members})
    return Encoded(key_of(line.about), value, [("content-type", b"application/json")])


def key_of(about: About) -> bytes:
    """The key of every line about a submission: 32 hex digits."""
    return hashlib.sha256(orjson.dumps(list(about))).hexdigest()[:32].encode()


def sealed(record: Encoded, group: str, topic: str, keyring: Keyring) -> Encoded:
    """Seal a line for its topic, where a key signs."""
    if not keyring.signs:
        return record
    seal = keyring.seal(_parts(group, topic, record.key, record.value or b""))
    return Encoded(record.key, record.value, [*record.headers, (HEADER, f"v1 {seal}".encode())])


def is_believed(record: Encoded, group: str, topic: str, keyring: Keyring) -> bool:
    """Whether this service wrote a line; without any key, whoever may write to the topic is believed."""
    if keyring.is_empty:
        return True
    found = _SEAL.fullmatch(next((value or b"" for name, value in record.headers if name == HEADER), b""))
    parts = _parts(group, topic, record.key, record.value or b"")
    return found is not None and keyring.is_seal(found[1].decode(), found[2].decode(), parts)


def read(value: bytes | None) -> Line:
    """
    Read a line.

    Raises:
        Unread: it is none, or one of another version.
    """
    if value is None or len(value) > MOST_BYTES:
        raise Unread("it is empty, or too large")
    try:
        found = orjson.loads(value)
        return _READERS[found["schema"], found["kind"]](found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unread(type(error).__name__) from error


def _vote(found: Mapping[str, Any]) -> Vote:
    place, judged = found["place"], found["object"]
    return Vote(
        about=_about(found),
        tenant=_text(found["tenant"]),
        verdict_id=_text(found["verdict_id"]),
        said=_one_of(found["said"], ("approve", "remove", "escalate")),
        proposes=found["proposes"] is True,
        reviewer=_text(found["reviewer"]),
        place=Place(_text(place["topic"]), _number(place["partition"]), _number(place["offset"])),
        decided_at=_text(found["decided_at"]),
        labels=_texts(found["labels"]),
        object=None if judged is None else _object(judged),
    )


def _sent(found: Mapping[str, Any]) -> Sent:
    return Sent(
        about=_about(found),
        tenant=_text(found["tenant"]),
        suggestion=_one_of(found["suggestion"], ("pass", "block")),
        scenes=tuple(_one_of(each, SCENES) for each in found["scenes"]),
        url=_text(found["url"]),
        reviewers=_texts(found["reviewers"]),
        verdict_ids=_texts(found["verdict_ids"]),
        sent_at=_text(found["sent_at"]),
        request_id=None if found["request_id"] is None else _text(found["request_id"]),
    )


def _not_sent(found: Mapping[str, Any]) -> NotSent:
    return NotSent(
        about=_about(found),
        tenant=_text(found["tenant"]),
        suggestion=_one_of(found["suggestion"], ("pass", "block")),
        reason=_one_of(found["reason"], tuple(REASONS)),
        code=_text(found["code"]),
        noted_at=_text(found["noted_at"]),
    )


def _about(found: Mapping[str, Any]) -> About:
    about = found["about"]
    return About(
        _text(about["topic"]), _number(about["partition"]), _number(about["offset"]), _text(about["image"])
    )  # fmt: skip


def _object(judged: Mapping[str, Any]) -> ObjectRef:
    optional = {name: judged[name] for name in ("region", "version", "etag")}
    return ObjectRef(
        store=_text(judged["store"]),
        bucket=_text(judged["bucket"]),
        key=_text(judged["key"]),
        **{name: None if value is None else _text(value) for name, value in optional.items()},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return tuple(map(_text, value))


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no number")
    return value


def _one_of(value: Any, words: Sequence[str]) -> Any:
    if value not in words:
        raise ValueError("another word")
    return value


def _parts(group: str, topic: str, key: bytes | None, value: bytes) -> list[bytes | None]:
    return [b"moderation-feedback-v1", group.encode(), topic.encode(), key, hashlib.sha256(value).digest()]


_KINDS: Mapping[type[Line], str] = {Vote: "vote", Sent: "sent", NotSent: "not_sent"}
_READERS: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Line]] = {
    (SCHEMA, "vote"): _vote,
    (SCHEMA, "sent"): _sent,
    (SCHEMA, "not_sent"): _not_sent,
}
