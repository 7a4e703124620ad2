"""
A person's decision, `moderation.review.v1`, as it is read from `reviews.topic`. Pure.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from consumer.errors import Undecodable
from consumer.intake.decode.members import (
    Document,
    optional_integer,
    optional_text,
    optional_timestamp,
    parse,
    required_object,
    required_text,
    timestamp,
)
from consumer.intake.decode.reasons import Rejection
from consumer.journal.headers import LONGEST_TOPIC

SCHEMA = "moderation.review.v1"
MOST_LABELS = 100
MOST_LABEL = 128  # characters
MOST_NAME = 128  # characters of a reviewer's id and of a verdict's
MOST_NOTE = 4_096  # characters
MOST_PARTITION = 2**31 - 1  # Kafka

Word = Literal["approve", "remove", "escalate"]
WORDS: tuple[Word, ...] = get_args(Word)
Wish = Literal["none", "propose"]


class VerdictAt(NamedTuple):
    """Where the record of a verdict stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a person decided about a verdict."""

    verdict_id: str
    at: VerdictAt
    decision: Word
    reviewer: str  # an opaque id
    decided_at: str  # RFC 3339, as it is written
    claimed_at: str | None = None
    override_pin: bool = False
    labels_confirmed: tuple[str, ...] = ()
    labels_rejected: tuple[str, ...] = ()
    feedback: Wish = "none"
    note: str | None = field(default=None, repr=False)  # free text, which is carried nowhere


def read_review(value: bytes | None) -> Review:
    """
    Read a decision. Members that this release does not know are left out.

    Raises:
        Undecodable: it is none; the detail names the member, never its value.
    """
    document = None if value is None else parse(value)
    if not isinstance(document, dict):
        raise Rejection.BAD_MEMBER.at("value", "must be a JSON object")
    schema = required_text(document, "schema")
    if schema != SCHEMA and not schema.startswith(f"{SCHEMA}."):
        raise Rejection.UNKNOWN_SCHEMA.at("schema", f"must be {SCHEMA}")
    at = required_object(document, "verdict_at")
    return Review(
        verdict_id=required_text(document, "verdict_id", limit=MOST_NAME),
        at=VerdictAt(
            required_text(at, "topic", "verdict_at.", limit=LONGEST_TOPIC),
            _number(at, "partition", MOST_PARTITION),
            _number(at, "offset", 2**53 - 1),
        ),
        decision=_decision(document),
        reviewer=required_text(document, "reviewer", limit=MOST_NAME),
        decided_at=timestamp(required_text(document, "decided_at"), "decided_at"),
        claimed_at=optional_timestamp(document, "claimed_at"),
        override_pin=_flag(document, "override_pin"),
        labels_confirmed=_labels(document, "labels_confirmed"),
        labels_rejected=_labels(document, "labels_rejected"),
        feedback=_wish(document),
        note=optional_text(document, "note", limit=MOST_NOTE),
    )


def _decision(document: Document) -> Word:
    said = required_text(document, "decision")
    for word in WORDS:
        if said == word:
            return word
    raise Rejection.BAD_MEMBER.at("decision", f"must be one of {', '.join(WORDS)}")


def _wish(document: Document) -> Wish:
    said = optional_text(document, "feedback")
    if said not in (None, "none", "propose"):
        raise Rejection.BAD_MEMBER.at("feedback", "must be none or propose")
    return "propose" if said == "propose" else "none"


def _number(document: Document, name: str, most: int) -> int:
    number = optional_integer(document, name, "verdict_at.")
    if number is None:
        raise Rejection.MISSING_MEMBER.at(f"verdict_at.{name}", "is required")
    if not 0 <= number <= most:
        raise Rejection.BAD_MEMBER.at(f"verdict_at.{name}", f"must be 0 to {most}")
    return number


def _flag(document: Document, name: str) -> bool:
    said = document.get(name)
    if said is not None and not isinstance(said, bool):
        raise Rejection.BAD_MEMBER.at(name, "must be true or false")
    return said is True


def _labels(document: Document, name: str) -> tuple[str, ...]:
    said = document.get(name)
    if said is None:
        return ()
    if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
        raise Rejection.BAD_MEMBER.at(name, "must be a list of strings")
    if len(said) > MOST_LABELS:
        raise Undecodable(Rejection.TOO_MANY, f"{name}: more than {MOST_LABELS} labels")
    if any(len(each) > MOST_LABEL for each in said):
        raise Rejection.TOO_LONG.at(name, f"a label is longer than {MOST_LABEL} characters")
    return tuple(said)
