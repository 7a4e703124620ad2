"""
Weighs the contestants beside each other: same Kafka, same provider, same events, in turn.

They alternate, so that whatever else the machine does falls on all of them; the first round warms it up and is not
counted.

    python -m bench                                 64 calls in flight, as fast as they go
    python -m bench --in-flight 512 --events 12000
    python -m bench --quota 400                     a backlog at 400 calls a second
    python -m bench --quota 400 --rate 200          200 uploads a second, as they come
    python -m bench bare service service@../other   beside the service of another working tree
    python -m bench --load 64 all                   beside what others would write; ten seconds that are steady
    python -m bench --load half-400 service benthos "mine=./mine --brokers {bootstrap_servers}"
    python -m bench --quick                         bare loop, service and FastStream at 64 and 512, in five minutes

With `--load` or `--seconds` a contestant is weighed for a time, after a time in which it warms up, and every round
counts; otherwise for as long as it takes to carry all events, and the first round does not count.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import orjson

from bench.contestants import CONTESTANTS, USUAL, Contestant, Course, contestant
from bench.contestants.built import BuildFailed
from bench.events import publish_steadily, upload_events
from bench.figures import Figures
from bench.loads import LOADS, UNPACED, Load
from bench.race import Disqualified, run
from bench.report import Standing, comparison, load, table
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider

_UPLOADS = "bench.uploads"
# Calls that begin together would otherwise end together for thousands of events, and waves are cheaper to carry.
_SPREAD = 0.5
# The steady part leaves two rounds of calls out at either end; as many should be left.
_LEAST_EVENTS_PER_CALL = 8
_QUICK = ("bare", "service", "faststream-aiokafka")
_QUICK_LOADS = ("64", "512")
_QUICK_SECONDS, _QUICK_ROUNDS = 6.0, 2


def main() -> None:
    """Parse the command line, run the rounds, and print tables and one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="CPU per event of each contestant")
    parser.add_argument(
        "contestants",
        nargs="*",
        metavar="CONTESTANT",
        help=f"the first is the floor; one named twice shows the noise; service@FOLDER is that of another working "
        f"tree; NAME=COMMAND is any command; all: {' '.join(CONTESTANTS)}; default: {' '.join(USUAL)}",
    )
    parser.add_argument(
        "--load", action="append", default=[], choices=[*LOADS, "all"], help="a load by name; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(_QUICK)} at 64 and 512, in five minutes")
    parser.add_argument("--events", type=int, help="uploads that there are; without --seconds each run carries all")
    parser.add_argument("--seconds", type=float, help="the steady part of each run, in seconds")
    parser.add_argument("--rounds", type=int, help="counted rounds [default: 3]")
    parser.add_argument("--in-flight", type=int, help="calls at once")
    parser.add_argument("--latency", type=float, help="seconds that the provider takes")
    parser.add_argument("--quota", type=int, help="calls a second; the bare loop knows none")
    parser.add_argument("--rate", type=float, help="uploads a second; without it all of them wait at the start")
    parser.add_argument("--idle", type=float, help="seconds for which each is watched afterwards, with nothing to do")
    parser.add_argument("--event-size", type=int, default=0, help="bytes of an event, if it has fewer")
    parser.add_argument("--partitions", type=int, default=4, help="partitions of each topic")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    names = options.contestants or list(_QUICK if options.quick else USUAL)
    if names == ["all"]:
        names = list(CONTESTANTS)
    found = {name: _found(parser, name) for name in names}
    rounds = options.rounds if options.rounds is not None else _QUICK_ROUNDS if options.quick else 3
    if rounds < 1 or options.partitions < 1:
        parser.error("at least one round must count, and there must be a partition")
    called = [*LOADS] if "all" in options.load else options.load or (_QUICK_LOADS if options.quick else [None])
    if options.quick and options.seconds is None:
        options.seconds = _QUICK_SECONDS
    loads = [_load(parser, name, options) for name in called]
    rig = Rig(contestants=found, names=names, rounds=rounds, partitions=options.partitions, size=options.event_size)
    results = []
    try:
        for each in loads:
            standings = asyncio.run(compare(rig, each))
            quota = None if each.quota == UNPACED else each.quota
            told = load(each.in_flight, quota, each.rate, each.latency)
            print(f"{told}\n{table(standings, quota)}\n", flush=True)
            results.append({"load": told, "settings": asdict(each), **comparison(standings, quota)})
    except (Disqualified, BuildFailed, ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    written = orjson.dumps(
        {"rounds": rounds, "partitions": options.partitions, "event_size": options.event_size, "loads": results}
    ).decode()
    print(written)
    if options.json is not None:
        options.json.write_text(written + "\n")


def _load(parser: argparse.ArgumentParser, name: str | None, options: argparse.Namespace) -> Load:
    """Return the load of this name, with what the command line says otherwise; it ends where that cannot be."""
    changes = {
        key: value
        for key in ("events", "seconds", "in_flight", "latency", "quota", "rate", "idle")
        if (value := getattr(options, key)) is not None
    }
    each = replace(LOADS[name] if name else Load(events=3_000), **changes)
    if each.events < each.in_flight * _LEAST_EVENTS_PER_CALL and each.seconds is None:
        parser.error(f"{each.in_flight} in flight need {each.in_flight * _LEAST_EVENTS_PER_CALL} events or more")
    if each.quota < 1 or (each.rate is not None and not 0 < each.rate <= each.quota):
        parser.error("the quota must be at least 1, and the rate above 0 and no more than the quota")
    if each.seconds is not None and (each.rate is not None or each.seconds <= 0):
        parser.error("--seconds must be above 0, and without --rate: uploads that come are carried to their end")
    return each


def _found(parser: argparse.ArgumentParser, name: str) -> Contestant:
    try:
        return contestant(name)
    except KeyError:
        parser.error(
            f"no contestant is called {name}; there are: {', '.join(CONTESTANTS)}, NAME=COMMAND, and service@FOLDER, "
            "where FOLDER holds the service's sources"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Who runs, and on what."""

    contestants: Mapping[str, Contestant]
    names: Sequence[str]
    rounds: int
    partitions: int
    size: int
    """Bytes of an event, or more."""


async def compare(rig: Rig, each: Load) -> list[Standing]:
    """
    Run every round under a load and return what each contestant's counted runs came to, in the order of its name.

    Raises:
        Disqualified: one of them did not do the work.
        BuildFailed: one of them could not be built.
        ToolMissing, DownloadFailed, StartFailed: there is no Kafka to run on.
    """
    runs: list[list[Figures]] = [[] for _ in rig.names]
    async with (
        KafkaCluster.start(brokers=1) as kafka,
        # What comes at a rate comes in no waves, and a constant time can be taken off a delay.
        QuickProvider.start(latency=each.latency, spread=_SPREAD if each.rate is None else 0.0) as provider,
    ):
        if each.rate is None:
            await kafka.create_topic(_UPLOADS, partitions=rig.partitions)
            await publish(kafka.bootstrap_servers, _UPLOADS, upload_events(each.events, rig.size))
        uncounted = 1 if each.seconds is None else 0  # the time in which they warm up is in every run otherwise
        for number in range(1 - uncounted, rig.rounds + 1):
            order = list(enumerate(rig.names))
            if number % 2:  # there and back: what grows from run to run weighs on no place more than on another
                order.reverse()
            for place, name in order:
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    course = await _course(kafka, provider, f"bench.{number}.{place}", Path(folder), rig, each)
                    try:
                        figures = await _run(rig, name, course, provider, each.rate)
                    except Disqualified as fault:
                        raise Disqualified(f"{name}, round {number}: {fault}") from fault
                print(
                    f"round {number}  {name:20} {figures.cpu_per_event * 1_000:6.3f} ms CPU per event, "
                    f"{figures.steady.events_per_second:5.0f} events/s{'' if number else '  (warm-up)'}",
                    file=sys.stderr,
                )
                if number:
                    runs[place].append(figures)
    return [Standing(name, figures) for name, figures in zip(rig.names, runs, strict=True)]


async def _run(rig: Rig, name: str, course: Course, provider: QuickProvider, rate: float | None) -> Figures:
    """Run a contestant once; with a rate, on uploads of its own, of which it finds the first ones waiting."""
    ours = rig.contestants[name]
    if rate is None:
        return await run(ours, course, provider)
    events = upload_events(course.events, rig.size)
    await publish(course.bootstrap_servers, course.uploads, islice(events, course.edge))

    async def upload() -> Mapping[bytes, float]:
        return await publish_steadily(course.bootstrap_servers, course.uploads, events, rate)

    return await run(ours, course, provider, upload)


async def _course(
    kafka: KafkaCluster, provider: QuickProvider, prefix: str, folder: Path, rig: Rig, each: Load
) -> Course:
    """Return a course with output topics and a group of its own, over the same uploads as every other if all wait."""
    course = Course.under(
        prefix,
        bootstrap_servers=kafka.bootstrap_servers,
        provider=provider.endpoint,
        uploads=_UPLOADS if each.rate is None else f"{prefix}.uploads",
        in_flight=each.in_flight,
        quota=each.quota,
        events=each.events,
        folder=folder,
        latency=each.latency,
        seconds=each.seconds,
        idle=each.idle,
    )
    for topic in course.outputs if each.rate is None else (course.uploads, *course.outputs):
        await kafka.create_topic(topic, partitions=rig.partitions)
    return course


if __name__ == "__main__":
    main()
