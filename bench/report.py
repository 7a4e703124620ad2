"""
The figures of all runs, compared: pure, measured runs in, text and values out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.figures import Figures, spread

COLUMNS = {
    "cpu_seconds_per_event": ("CPU ms/event", 1_000.0, ".3f"),
    "cpu_seconds_per_event_without_idle": ("less idle", 1_000.0, ".3f"),
    "events_per_second": ("events/s", 1.0, ".0f"),
    "events_per_cpu_second": ("per CPU s", 1.0, ".0f"),
    "peak_rss_mib": ("MiB", 1.0, ".0f"),
    "delay_p50": ("p50 ms", 1_000.0, ".1f"),
    "delay_p99": ("p99 ms", 1_000.0, ".1f"),
    "connections": ("connections", 1.0, ".0f"),
    "busiest_second": ("busiest s", 1.0, ".0f"),
    "mean_use_of_quota": ("of quota", 1.0, ".3f"),
    "idle_cores": ("idle core", 100.0, ".2f %"),
}
"""Heading, unit and form of each figure."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One contestant's runs, in the order of the rounds."""

    name: str
    runs: Sequence[Figures]

    def to_json(self, quota: int | None = None) -> dict[str, Any]:
        """Return least, median and greatest of each figure; CPU in seconds for one event."""
        return {"name": self.name, **spread(self.runs, quota)}

    def ratios_to(self, floor: "Standing") -> list[float]:
        """Return how many times the floor's CPU an event cost, round by round: both ran under the same load then."""
        pairs = zip(self.runs, floor.runs, strict=True)
        return [ours.cpu_per_event / theirs.cpu_per_event for ours, theirs in pairs]


def comparison(standings: Sequence[Standing], quota: int | None = None) -> dict[str, Any]:
    """Return the ratios of all to the first, and every contestant's figures. `quota`: calls a second, None without."""
    floor, *others = standings
    return {
        "cpu_ratios": [
            {"of": other.name, "to": floor.name, "pairs": pairs, "median": median(pairs)}
            for other in others
            for pairs in (other.ratios_to(floor),)
        ],
        "contestants": [standing.to_json(quota) for standing in standings],
    }


def load(in_flight: int, quota: int | None, rate: float | None, latency: float) -> str:
    """Say under which load figures were measured: a cost means nothing without it."""
    paced = "unpaced" if quota is None else f"at a quota of {quota} calls a second"
    come = "all uploads waiting" if rate is None else f"{rate:g} uploads a second"
    return f"{in_flight} in flight, {paced}, {come}, a provider of {latency * 1_000:g} ms"


def table(standings: Sequence[Standing], quota: int | None = None) -> str:
    """Return what `comparison` holds, to be read by people: ratios first, then median (least to greatest) of each."""
    found = comparison(standings, quota)
    lines = [
        f"{ratio['of']} ÷ {ratio['to']}: {ratio['median']:.2f} (pairs: "
        f"{', '.join(f'{pair:.2f}' for pair in ratio['pairs'])})"
        for ratio in found["cpu_ratios"]
    ]
    looked_at = [name for name in COLUMNS if any(name in each for each in found["contestants"])]
    rows = [["", *(COLUMNS[name][0] for name in looked_at)]]
    for each in found["contestants"]:
        rows.append([each["name"], *(_cell(name, each.get(name)) for name in looked_at)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines += ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _cell(name: str, of: dict[str, float] | None) -> str:
    if of is None:
        return "–"
    _, unit, form = COLUMNS[name]
    number, _, sign = form.partition(" ")
    shown = {key: f"{of[key] * unit:{number}}{sign}" for key in ("min", "median", "max")}
    if shown["min"] == shown["max"]:
        return shown["median"]
    return f"{shown['median']} ({shown['min']}–{shown['max']})"
