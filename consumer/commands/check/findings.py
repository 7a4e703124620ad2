"""What a check found: a line each, with how to mend what is wrong."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.text import Text


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"  # it works, and somebody may be sorry later
    WRONG = "wrong"
    SKIPPED = "skipped"  # could not be looked at


STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "bold red", Level.SKIPPED: "dim"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `about` names it, `text` says what is the matter and how to mend it."""

    level: Level
    about: str
    text: str


def ok(about: str, text: str) -> Finding:
    return Finding(Level.OK, about, text)


def warning(about: str, text: str) -> Finding:
    return Finding(Level.WARNING, about, text)


def wrong(about: str, text: str) -> Finding:
    return Finding(Level.WRONG, about, text)


def skipped(about: str, text: str) -> Finding:
    return Finding(Level.SKIPPED, about, text)


def is_wrong(findings: Iterable[Finding]) -> bool:
    """Whether anything must be mended before the service can do its work."""
    return any(finding.level is Level.WRONG for finding in findings)


def lines(findings: Sequence[Finding]) -> Iterator[Text]:
    """Write a line each, in columns."""
    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        yield Text.assemble(
            (f"{finding.level:<7}", STYLES[finding.level]), f"  {finding.about:<{width}}  {finding.text}"
        )


def lasting(seconds: float) -> str:
    """Write a duration for people: `45 s`, `18 h`, `7 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds)} s"


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:.0f}"
