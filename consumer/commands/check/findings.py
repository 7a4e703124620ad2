"""What a check found: a line each, with how to correct what is wrong."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.text import Text


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"  # it works, but may cause trouble later
    WRONG = "wrong"
    SKIPPED = "skipped"  # could not be looked at


STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "bold red", Level.SKIPPED: "dim"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `about` names it, `text` says what is wrong and how to correct it."""

    level: Level
    about: str
    text: str
    refused: bool = False  # by `run`, before it starts


def ok(about: str, text: str) -> Finding:
    return Finding(Level.OK, about, text)


def warning(about: str, text: str) -> Finding:
    return Finding(Level.WARNING, about, text)


def wrong(about: str, text: str) -> Finding:
    return Finding(Level.WRONG, about, text)


def refused(about: str, text: str) -> Finding:
    """What is wrong with the configuration: `run` would end at once, with exit status 2."""
    return Finding(Level.WRONG, about, text, refused=True)


def skipped(about: str, text: str) -> Finding:
    return Finding(Level.SKIPPED, about, text)


def exit_status(findings: Iterable[Finding]) -> int:
    """2 where `run` would refuse the configuration, 1 if anything else is wrong, 0 if nothing is."""
    wrong = [finding for finding in findings if finding.level is Level.WRONG]
    return 2 if any(finding.refused for finding in wrong) else 1 if wrong else 0


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
