"""A task's record as a JSON Schema, from the names and limits that `tasks.py` reads by."""

from typing import Any

from consumer.journal.tasks import ID, SCHEMA, SHA256

Schema = dict[str, Any]


def task_schema() -> Schema:
    """Describe `moderation.scan-task.v1`. Its Kafka key is the event's; headers name the message that it is about."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:moderation-consumer:{SCHEMA}",
        "title": SCHEMA,
        "description": "A task at the provider that is paid for and has no result yet. Members that are not named here "
        "are left out. Only the service writes these records; where a key signs outcomes, it signs them too.",
        "type": "object",
        "required": ["schema", "submission", "task_id", "sent", "service", "asked", "region"],
        "properties": {
            "schema": {"const": SCHEMA},
            "submission": _text("The submission: the verdict_id that its verdict will have."),
            "task_id": {"description": "The provider's name of the task.", "type": "string", "pattern": f"^{ID}$"},
            "sent": {"description": "Unix seconds at which the call departed.", "type": "number"},
            "service": _text("The service that was asked, as in the verdict's asked.services."),
            "asked": {
                "description": "What the service was asked for: the scenes, and the business scenario if one is named.",
                "type": "array",
                "minItems": 1,
                "items": {"type": "string"},
            },
            "region": _text("The provider's region, which alone has the result."),
            "picture": {
                "description": "Which of the pictures that are made of an image, from 0; 0 where none are made.",
                "type": "integer",
                "minimum": 0,
            },
            "sha256": {
                "description": "Of the bytes that the service has uploaded. Null: the provider fetches the image.",
                "type": ["string", "null"],
                "pattern": f"^{SHA256}$",
            },
        },
    }


def _text(description: str) -> Schema:
    return {"description": description, "type": "string"}
