"""What the JSON Schemas of records are made of."""

from collections.abc import Mapping
from typing import Any

from consumer.config.privacy import MOST_TEXTS

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "^[0-9a-f]{32}$"
MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"


def an_object(description: str, optional: Mapping[str, Schema] | None = None, /, **members: Schema) -> Schema:
    """An object with these members; those of `optional` may be absent."""
    return {
        "description": description,
        "type": "object",
        "required": list(members),
        "properties": {**members, **(optional or {})},
    }


def a_list(description: str, items: Schema) -> Schema:
    """A list."""
    return {"description": description, "type": "array", "items": items}


def a_few(description: str, items: Schema) -> Schema:
    """A list with as many items as verdicts have at most."""
    return {**a_list(description, items), "maxItems": MOST_TEXTS}


def a_number(description: str) -> Schema:
    """A number."""
    return {"description": description, "type": "number"}


def a_text(description: str) -> Schema:
    """A text."""
    return {"description": description, "type": "string"}


def a_count(description: str) -> Schema:
    """A number of things, from 0."""
    return {"description": description, "type": "integer", "minimum": 0}


def or_null(description: str, kind: str) -> Schema:
    """A value of a kind, or null."""
    return {"description": description, "type": [kind, "null"]}
