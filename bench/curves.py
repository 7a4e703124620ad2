"""
The curves of docs/performance.md: `python -m bench.curves`, or `make bench-docs`. Measures, and writes an SVG for each.

    python -m bench.curves                         all of them: less than an hour
    python -m bench.curves in-flight --seconds 2   one of them, short
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import orjson

from bench.__main__ import Rig, compare
from bench.contestants import CONTESTANTS, ROOT, contestant
from bench.contestants.built import BuildFailed
from bench.loads import Load, half
from bench.plot import curves
from bench.race import Disqualified
from bench.report import Standing
from tests.rig.kafka import DownloadFailed, StartFailed, ToolMissing

FOLDER = ROOT / "docs" / "curves"
USUAL = ("bare", "service")
UNPACED_LOAD = Load(events=60_000, seconds=6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where on a curve, and under which load."""

    x: float
    load: Load
    partitions: int = 4
    size: int = 0


Measured = dict[Point, Sequence[Standing]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What is drawn against what."""

    title: str
    across: str
    up: str
    figure: str
    """Its name in the figures of a run."""

    unit: float
    """By which the figure is multiplied."""

    points: Sequence[Point]
    logarithmic: bool = True


def _cpu(title: str, across: str, points: Sequence[Point]) -> Curve:
    return Curve(title=title, across=across, up="ms", figure="cpu_seconds_per_event", unit=1_000.0, points=points)


IN_FLIGHT, RATES, SIZES = (8, 32, 64, 128, 256, 512), (25, 50, 100, 200), (400, 2_000, 10_000, 50_000)
PARTITIONS, BACKLOGS = (1, 4, 16, 64), (10_000, 40_000, 160_000, 640_000)
AT_RATES = [Point(x=rate, load=half(2 * rate)) for rate in RATES]
CURVES: Mapping[str, Curve] = {
    "in-flight": _cpu(
        "CPU of an event", "calls in flight", [Point(x=n, load=replace(UNPACED_LOAD, in_flight=n)) for n in IN_FLIGHT]
    ),
    "rate": _cpu("CPU of an event, idle work included", "uploads a second, half the quota", AT_RATES),
    "event-size": _cpu(
        "CPU of an event, 64 in flight", "bytes of an event",
        [Point(x=size, load=replace(UNPACED_LOAD, events=20_000), size=size) for size in SIZES],
    ),
    "partitions": _cpu(
        "CPU of an event, 64 in flight", "partitions of each topic",
        [Point(x=n, load=UNPACED_LOAD, partitions=n) for n in PARTITIONS],
    ),
    "backlog": Curve(
        title="Peak memory, 64 in flight", across="uploads waiting", up="MiB", figure="peak_rss_mib", unit=1.0,
        points=[Point(x=n, load=replace(UNPACED_LOAD, events=n, seconds=4.0)) for n in BACKLOGS],
    ),
    "delay": Curve(
        title="p99 from publish to receipt, less the provider", across="uploads a second, half the quota", up="ms",
        figure="delay_p99", unit=1_000.0, points=AT_RATES,
    ),
}  # fmt: skip


def main() -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.curves", description="Draws the curves of the docs")
    parser.add_argument("curves", nargs="*", metavar="CURVE", help=f"of {', '.join(CURVES)}; default: all")
    parser.add_argument("--contestant", action="append", default=[], help=f"default: {', '.join(USUAL)}")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, help="the steady part of a run that lasts for a time")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the SVG files go")
    options = parser.parse_args()
    if wrong := sorted(set(options.curves) - set(CURVES)):
        parser.error(f"no curve is called {', '.join(wrong)}; there are: {', '.join(CURVES)}")
    names = options.contestant or list(USUAL)
    try:
        found = {name: contestant(name) for name in names}
    except KeyError as error:
        parser.error(f"no contestant is called {error.args[0]}; there are: {', '.join(CONTESTANTS)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        rig = Rig(contestants=found, names=names, rounds=options.rounds, partitions=4, size=0)
        measured: Measured = {}
        for name in options.curves or CURVES:
            lines = asyncio.run(measure(CURVES[name], rig, options.seconds, measured))
            (options.folder / f"{name}.svg").write_text(drawn(CURVES[name], lines))
            print(orjson.dumps({"curve": name, "lines": lines}).decode(), flush=True)
    except (Disqualified, BuildFailed, ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


def drawn(curve: Curve, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return the curve as SVG."""
    return curves(curve.title, curve.across, curve.up, lines, logarithmic=curve.logarithmic)


async def measure(
    curve: Curve, rig: Rig, seconds: float | None, measured: Measured
) -> Mapping[str, Sequence[tuple[float, float]]]:
    """
    Return the median of the figure at each point, by contestant. What was `measured` for another curve is not again.

    Raises what `compare` does.
    """
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in rig.names}
    for point in curve.points:
        if point not in measured:
            load = point.load
            if seconds is not None and load.seconds is not None:
                load = replace(load, seconds=seconds)
            measured[point] = await compare(replace(rig, partitions=point.partitions, size=point.size), load)
        for standing in measured[point]:
            lines[standing.name].append((point.x, _median(standing, curve)))
    return lines


def _median(standing: Standing, curve: Curve) -> float:
    values = [run.to_json(None)[curve.figure] for run in standing.runs]
    return median(value for value in values if value is not None) * curve.unit


if __name__ == "__main__":
    main()
