"""
The loads under which contestants are weighed, by name: pure values. A cost means nothing without its load.
"""

from collections.abc import Mapping
from dataclasses import dataclass

UNPACED = 100_000  # calls a second that nobody reaches here
LITTLE = 1.5  # Little's law with half as much again: calls in flight = 1.5 × quota × latency
LATENCY = 0.05  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What contestants are to carry, and under which limits."""

    events: int
    """Uploads that are there, or come. More than can be carried in `seconds`, where that is given."""

    in_flight: int = 64
    latency: float = LATENCY
    """Seconds that the provider takes."""

    quota: int = UNPACED
    """Calls a second; `UNPACED` is none."""

    rate: float | None = None
    """Uploads a second; without it all of them wait at the start."""

    seconds: float | None = None
    """The steady part, in seconds; without it a run ends once all events are carried."""

    idle: float = 0.0
    """Seconds for which it is watched afterwards, with nothing to do."""


def backlog(quota: int) -> Load:
    """A backlog at a quota: twenty steady seconds."""
    return Load(quota=quota, events=quota * 60, seconds=20.0)


def half(quota: int) -> Load:
    """Uploads at half the quota, for half a minute, and ten seconds without any."""
    return Load(quota=quota, rate=quota / 2, events=quota * 15 + 1 + 2 * 64, idle=10.0)


LOADS: Mapping[str, Load] = {
    "64": Load(events=100_000, seconds=10.0),
    "512": Load(in_flight=512, events=240_000, seconds=10.0),
    "2048": Load(in_flight=2_048, latency=2.0, events=100_000, seconds=12.0),
    "4096": Load(in_flight=4_096, latency=4.0, events=100_000, seconds=12.0),
    **{f"backlog-{quota}": backlog(quota) for quota in (50, 100, 400)},
    **{f"half-{quota}": half(quota) for quota in (50, 100, 400)},
}
