"""A person's decision as a JSON Schema, from the names and limits that `review.py` reads by."""

from typing import Any

from consumer.journal.headers import LONGEST_TOPIC
from consumer.reviews.review import MOST_LABEL, MOST_LABELS, MOST_NAME, MOST_NOTE, MOST_PARTITION, WORDS

Schema = dict[str, Any]
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"


def review_schema() -> Schema:
    """Describe `moderation.review.v1`. Its Kafka key is that of the verdict, so that decisions about it keep order."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:moderation-consumer:moderation.review.v1",
        "title": "moderation.review.v1",
        "description": "What a person decided about a verdict. The Kafka key is the verdict's. Members that are not "
        "named here are left out.",
        "type": "object",
        "required": ["schema", "verdict_id", "verdict_at", "decision", "reviewer", "decided_at"],
        "properties": {
            "schema": {
                "description": "Minor versions, such as moderation.review.v1.2, add members.",
                "type": "string",
                "pattern": r"^moderation\.review\.v1(\..*)?$",
            },
            "verdict_id": _name("The verdict that was looked at."),
            "verdict_at": {
                "description": "Where its record stands.",
                "type": "object",
                "required": ["topic", "partition", "offset"],
                "properties": {
                    "topic": {"type": "string", "minLength": 1, "maxLength": LONGEST_TOPIC},
                    "partition": {"type": "integer", "minimum": 0, "maximum": MOST_PARTITION},
                    "offset": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
                },
            },
            "decision": {
                "description": "approve: pass. remove: block. escalate: somebody else is to decide, nothing changes.",
                "enum": list(WORDS),
            },
            "override_pin": {
                "description": "Go below the floor of a pinned rule; the reviewer must be one of reviews.leads.",
                "type": ["boolean", "null"],
            },
            "reviewer": _name("An opaque id of the person, no name: it stands in the verdict."),
            "claimed_at": {
                "description": "RFC 3339: when the person began to look.",
                "type": ["string", "null"],
                "pattern": f"{_MOMENT}|^$",
            },
            "decided_at": {
                "description": "RFC 3339: when the person decided.",
                "type": "string",
                "pattern": _MOMENT,
            },
            "note": {
                "description": "For other people; the service carries it nowhere.",
                "type": ["string", "null"],
                "maxLength": MOST_NOTE,
            },
            "labels_confirmed": _labels("Labels of the verdict that are right."),
            "labels_rejected": _labels("Labels of the verdict that are wrong."),
            "feedback": {
                "description": "propose: the provider may be told, where that is configured.",
                "enum": ["none", "propose", "", None],
            },
        },
    }


def _name(description: str) -> Schema:
    return {"description": description, "type": "string", "minLength": 1, "maxLength": MOST_NAME}


def _labels(description: str) -> Schema:
    return {
        "description": description,
        "type": ["array", "null"],
        "maxItems": MOST_LABELS,
        "items": {"type": "string", "maxLength": MOST_LABEL},
    }
