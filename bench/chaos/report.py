"""
What was found, with the threshold beside each figure. Pure: values in, text and JSON out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Any

from consumer.config.kafka import KafkaSettings


class Standing(StrEnum):
    """How a scenario ended."""

    OK = "ok"
    NOT_OK = "NOT OK"
    NOT_YET = "not yet"
    """It could not be run: what it needs is not there. Counts as a failure, because nothing was shown."""


@dataclass(frozen=True, slots=True)
class Check:
    """One figure and what it was allowed to be."""

    what: str
    seen: float | str
    bound: str
    holds: bool


def none_of(what: str, found: Mapping[str, Any] | Sequence[Any] | set[Any] | int) -> Check:
    """Check that there is nothing of this."""
    seen = found if isinstance(found, int) else len(found)
    return Check(what, seen, "= 0", seen == 0)


def at_most(what: str, seen: float, bound: float, unit: str = "") -> Check:
    """Check that `seen` is not above `bound`."""
    return Check(what, round(seen, 4), f"≤ {bound:g}{unit}", seen <= bound)


def at_least(what: str, seen: float, bound: float, unit: str = "") -> Check:
    """Check that `seen` is not below `bound`."""
    return Check(what, round(seen, 4), f"≥ {bound:g}{unit}", seen >= bound)


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario's verdict."""

    name: str
    seed: int
    checks: Sequence[Check] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What is told without being judged."""

    seconds: float = 0.0
    reason: str = ""
    """Why it could not be run or ended early."""

    standing_without_checks: Standing = Standing.NOT_OK

    @property
    def standing(self) -> Standing:
        """Return the verdict: all checks hold, and there were some."""
        if self.reason or not self.checks:
            return self.standing_without_checks
        return Standing.OK if all(check.holds for check in self.checks) else Standing.NOT_OK

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "name": self.name,
            "seed": self.seed,
            "standing": self.standing.value,
            "seconds": round(self.seconds, 1),
            "reason": self.reason,
            "checks": [
                {"what": check.what, "seen": check.seen, "bound": check.bound, "holds": check.holds}
                for check in self.checks
            ],
            "figures": self.figures,
        }

    def to_text(self) -> str:
        """Return it for people."""
        lines = [f"{self.name}: {self.standing.value}   (seed {self.seed}, {self.seconds:.0f} s)"]
        if self.reason:
            lines += [f"    {line}" for line in self.reason.splitlines()]
        lines += [
            f"    {'ok    ' if check.holds else 'NOT OK'}  {check.what}: {_shown(check.seen)}   ({check.bound})"
            for check in self.checks
        ]
        for name, figure in self.figures.items():
            rows = figure if isinstance(figure, list) else None
            lines.append(f"            {name}: {'' if rows else _shown(figure)}".rstrip())
            lines += [f"                {_shown(row)}" for row in rows or ()]
        return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def settings(harness: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return the settings that the harness changes, each beside the default that is shipped."""
    shipped = {name: KafkaSettings.model_fields[name].default for name in harness}
    return {name: {"here": value, "shipped": shipped[name]} for name, value in harness.items()}


def settings_text(harness: Mapping[str, float]) -> str:
    """Return the same for people."""
    pairs = (f"{name} {each['here']:g} s (shipped: {each['shipped']:g} s)" for name, each in settings(harness).items())
    return "settings: " + ", ".join(pairs)


def distribution(values: Sequence[float]) -> dict[str, float]:
    """Return the least, the median and the most of some values; nothing of none."""
    return {"min": min(values), "median": median(values), "max": max(values)} if values else {}
