"""What the command line asks for. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PATIENCE = 60.0  # seconds


class FailOn(StrEnum):
    """From which decision on a scan has found something."""

    BLOCK = "block"
    REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """The options of `scan`, as they were given."""

    images: Sequence[str] = ()
    manifest: Path | None = None
    config: Path | None = None
    overrides: Sequence[str] = ()
    policy: Path | None = None
    upload: bool = False
    qps: int | None = None  # calls a second
    alone: bool = False
    price: float | None = None  # of a thousand calls
    patience: float = PATIENCE  # seconds
    state: Path | None = None
    json: Path | None = None
    html: Path | None = None
    show: bool = False
    fail_on: FailOn | None = None
    dry_run: bool = False
    verbose: bool = False
