"""Arguments that several commands have, and what is given for them. Imports nothing that takes time."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The YAML file; config/consumer.yaml of the release shows every setting. [default: config/consumer.yaml "
        "if "
        "it exists, else the defaults]",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, such as quota.qps=50.")
]


class SchemaName(StrEnum):
    """What has a schema."""

    EVENTS = "events"
    VERDICT = "verdict"
    DEAD_LETTER = "dead_letter"
    CONFIG = "config"
    POLICY = "policy"
    REVIEW = "review"
    TASK = "task"
    FEEDBACK = "feedback"


def usual(config: Path | None) -> Path | None:
    """The configuration's file: the one that is named, else config/consumer.yaml if it is there, else none."""
    here = Path("config/consumer.yaml")
    return config or (here if here.is_file() else None)
