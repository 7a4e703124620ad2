"""
What one run came to, and the spread of several: pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.steady import Steady

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run of one contestant."""

    steady: Steady
    peak_rss: int
    """Bytes, from its start on."""

    connections: int
    """The most that were open to the provider at once."""

    busiest_second: int
    """The most calls that came in any sliding second."""

    calls_per_second: float
    """From the first call to the last."""

    idle_cores: float | None = None
    """Share of a core that it used with nothing to do; None where that was not looked at."""

    delays: Sequence[float] | None = None
    """Seconds from an upload's publish to the receipt of its verdict, less the provider's time; in order."""

    @property
    def cpu_per_event(self) -> float:
        """CPU seconds of one event, idle work included."""
        return self.steady.cpu_per_event

    @property
    def cpu_per_event_without_idle(self) -> float | None:
        """The same less what it uses with nothing to do; None where that was not looked at."""
        if self.idle_cores is None:
            return None
        return max(0.0, self.steady.cpu_seconds - self.idle_cores * self.steady.wall_seconds) / self.steady.events

    def to_json(self, quota: int | None) -> dict[str, float | None]:
        """Return single figures by name; times in seconds, memory in MiB. `quota`: calls a second, None without."""
        return {
            "cpu_seconds_per_event": self.cpu_per_event,
            "cpu_seconds_per_event_without_idle": self.cpu_per_event_without_idle,
            "events_per_second": self.steady.events_per_second,
            "events_per_cpu_second": 1 / self.cpu_per_event if self.cpu_per_event else None,
            "peak_rss_mib": self.peak_rss / MIB,
            "delay_p50": None if self.delays is None else percentile(self.delays, 0.5),
            "delay_p99": None if self.delays is None else percentile(self.delays, 0.99),
            "connections": float(self.connections),
            "busiest_second": float(self.busiest_second),
            "mean_use_of_quota": None if quota is None else self.calls_per_second / quota,
            "idle_cores": self.idle_cores,
        }


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest that no less than `share` of all do not exceed. Raises `ValueError` where there are none."""
    if not ordered:
        raise ValueError("no values")
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def spread(runs: Sequence[Figures], quota: int | None) -> dict[str, dict[str, float]]:
    """Return least, median and greatest of each figure over the runs; a figure that nobody looked at is left out."""
    rows = [run.to_json(quota) for run in runs]
    found = {name: [value for row in rows if (value := row[name]) is not None] for name in rows[0]}
    return {
        name: {"min": min(values), "median": median(values), "max": max(values)}
        for name, values in found.items()
        if values
    }
