"""
The figures of all runs, compared: pure, measured runs in, text and values out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.steady import Steady


@dataclass(frozen=True, slots=True)
class Standing:
    """One contestant's runs, in the order of the rounds."""

    name: str
    runs: Sequence[Steady]

    def to_json(self) -> dict[str, Any]:
        """Return the figures; CPU in seconds for one event."""
        cpu = [run.cpu_per_event for run in self.runs]
        rates = [run.events_per_second for run in self.runs]
        return {
            "name": self.name,
            "cpu_seconds_per_event": {"min": min(cpu), "median": median(cpu), "max": max(cpu)},
            "events_per_second": {"min": min(rates), "median": median(rates), "max": max(rates)},
        }

    def ratios_to(self, floor: "Standing") -> list[float]:
        """Return how many times the floor's CPU an event cost, round by round: both ran under the same load then."""
        pairs = zip(self.runs, floor.runs, strict=True)
        return [ours.cpu_per_event / theirs.cpu_per_event for ours, theirs in pairs]


def comparison(standings: Sequence[Standing]) -> dict[str, Any]:
    """Return every contestant's figures, and the ratios of all to the first."""
    floor, *others = standings
    return {
        "contestants": [standing.to_json() for standing in standings],
        "cpu_ratios": [
            {"of": other.name, "to": floor.name, "pairs": pairs, "median": median(pairs)}
            for other in others
            for pairs in (other.ratios_to(floor),)
        ],
    }


def load(in_flight: int, quota: int | None, rate: float | None, latency: float) -> str:
    """Say under which load figures were measured: a cost means nothing without it."""
    paced = "unpaced" if quota is None else f"at a quota of {quota} calls a second"
    come = "all uploads waiting" if rate is None else f"{rate:g} uploads a second"
    return f"{in_flight} in flight, {paced}, {come}, a provider of {latency * 1_000:g} ms"


def table(standings: Sequence[Standing]) -> str:
    """Return what `comparison` holds, to be read by people; CPU in milliseconds."""
    figures = comparison(standings)
    width = max(len(standing.name) for standing in standings) + 2
    lines = [f"{'':{width}}  CPU ms per event            events/s", f"{'':{width}}   min  median     max     median"]
    for each in figures["contestants"]:
        cpu, rate = each["cpu_seconds_per_event"], each["events_per_second"]["median"]
        in_ms = (f"{cpu[key] * 1_000:7.3f}" for key in ("min", "median", "max"))
        lines.append(f"{each['name']:{width}}{' '.join(in_ms)}    {rate:7.0f}")
    for ratio in figures["cpu_ratios"]:
        pairs = ", ".join(f"{pair:.2f}" for pair in ratio["pairs"])
        lines.append(f"{ratio['of']} ÷ {ratio['to']}: {ratio['median']:.2f} (pairs: {pairs})")
    return "\n".join(lines)
