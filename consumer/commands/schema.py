"""The JSON Schemas of what the service reads and writes, exported from its code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from consumer.commands.arguments import SchemaName
from consumer.config import Config
from consumer.config.base import Settings
from consumer.feedback.schema import feedback_schema
from consumer.intake.decode import Rejection
from consumer.intake.decode.schema import event_schema
from consumer.journal.task_schema import task_schema
from consumer.policy.schema import PolicySettings
from consumer.reviews.refusals import Refusal
from consumer.reviews.schema import review_schema
from consumer.verdicts.letter_schema import dead_letter_schema
from consumer.verdicts.schema import verdict_schema
from consumer.verdicts.shapes import DIALECT


def _settings(model: type[Settings], name: str) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": f"urn:moderation-consumer:{name}", **model.model_json_schema()}


_SCHEMAS: dict[SchemaName, Callable[[], dict[str, Any]]] = {
    SchemaName.EVENTS: event_schema,
    SchemaName.VERDICT: verdict_schema,
    SchemaName.DEAD_LETTER: lambda: dead_letter_schema([*Rejection, *Refusal]),
    SchemaName.CONFIG: lambda: _settings(Config, "configuration"),
    SchemaName.POLICY: lambda: _settings(PolicySettings, "policy"),
    SchemaName.REVIEW: review_schema,
    SchemaName.TASK: task_schema,
    SchemaName.FEEDBACK: feedback_schema,
}


def schema(name: SchemaName) -> dict[str, Any]:
    """Make one of the schemas."""
    return _SCHEMAS[name]()


def written(made: dict[str, Any]) -> str:
    """Write a schema, or all by name, as JSON for people."""
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()


def write_all(folder: Path) -> list[Path]:
    """Write every schema into the folder and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: file_of(folder, name) for name in SchemaName}
    for name, path in paths.items():
        path.write_text(written(schema(name)) + "\n")
    return list(paths.values())


def file_of(folder: Path, name: SchemaName) -> Path:
    """Where a schema stands in a folder."""
    return folder / f"{name}.schema.json"
