"""The headers that are added to a dead letter, as a JSON Schema."""

from collections.abc import Iterable

from consumer.verdicts.shapes import DIALECT, ID, MOMENT, Schema, a_text, an_object

_SHA256 = "^[0-9a-f]{64}$"
_OF_CUT_LETTERS: dict[str, Schema] = {
    "dlq_truncated": {"description": "The value is only the beginning of the message's.", "const": "true"},
    "dlq_size": {"description": "Bytes of the message's value.", "type": "string", "pattern": "^[0-9]+$"},
    "dlq_sha256": {"description": "Of the message's value.", "type": "string", "pattern": _SHA256},
    "dlq_key_size": {"description": "Bytes of the key, which is not kept.", "type": "string", "pattern": "^[0-9]+$"},
    "dlq_key_sha256": {"description": "Of the key; it is the letter's key.", "type": "string", "pattern": _SHA256},
    "dlq_headers_omitted": {
        "description": "How many of the message's headers are not kept.",
        "type": "string",
        "pattern": "^[0-9]+$",
    },
}
"""Headers of a dead letter whose message is too large to be kept whole."""


def dead_letter_schema(reasons: Iterable[str]) -> Schema:
    """Describe the headers that are added to a dead letter, as texts by name; `reasons` are the decoder's words."""
    return {
        "$schema": DIALECT,
        "$id": "urn:moderation-consumer:dead-letter-headers",
        "title": "Headers of a dead letter",
        **an_object(
            "Key and value are the message's own, byte for byte. Its own headers stay as well; one that has a name "
            "from here is called original_….",
            _OF_CUT_LETTERS,
            dlq_reason={"description": "A stable word.", "enum": list(reasons)},
            dlq_stage={"description": "Where it failed.", "const": "decode"},
            dlq_error={"description": "Which member, and what is wrong with it.", "type": "string", "maxLength": 256},
            dlq_source_topic=a_text("Where the message was read from."),
            dlq_source_partition={"description": "Its partition.", "type": "string", "pattern": "^[0-9]+$"},
            dlq_source_offset={"description": "Its offset.", "type": "string", "pattern": "^[0-9]+$"},
            dlq_time={"description": "When it was refused.", "type": "string", "pattern": MOMENT},
            dlq_id={"description": "Names the message, as a verdict_id does.", "type": "string", "pattern": ID},
            source_group=a_text("Which consumer group refused it."),
        ),
    }
