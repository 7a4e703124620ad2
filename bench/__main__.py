"""
Weighs the contestants beside each other: same Kafka, same provider, same events, in turn.

They alternate, so that whatever else the machine does falls on all of them; the first round warms it up and is not
counted.

    python -m bench                                 64 calls in flight, as fast as they go
    python -m bench --in-flight 512 --events 12000
    python -m bench --quota 400                     a backlog at 400 calls a second
    python -m bench --quota 400 --rate 200          200 uploads a second, as they come
    python -m bench bare service service@../other   beside the service of another working tree
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import orjson

from bench.contestants import CONTESTANTS, Contestant, Course, contestant
from bench.events import publish_steadily, upload_events
from bench.race import Disqualified, run
from bench.report import Standing, comparison, load, table
from bench.steady import Steady
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider

_UPLOADS = "bench.uploads"
_PARTITIONS = 4
# Calls that begin together would otherwise end together for thousands of events, and waves are cheaper to carry.
_SPREAD = 0.5
# The steady part leaves two rounds of calls out at either end; as many should be left.
_LEAST_EVENTS_PER_CALL = 8
_NO_QUOTA = 100_000


def main() -> None:
    """Parse the command line, run the rounds, and print a table and one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="CPU per event of each contestant")
    parser.add_argument(
        "contestants",
        nargs="*",
        metavar="CONTESTANT",
        help=f"the first is the floor; one named twice shows the noise; service@FOLDER is that of another working "
        f"tree; default: {' '.join(CONTESTANTS)}",
    )
    parser.add_argument("--events", type=int, default=3_000, help="uploads that each run carries")
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds, after one that is not")
    parser.add_argument("--in-flight", type=int, default=64, help="calls at once")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the provider takes")
    parser.add_argument(
        "--quota", type=int, default=_NO_QUOTA, help="calls a second of the service; the bare loop knows none"
    )
    parser.add_argument("--rate", type=float, help="uploads a second; without it all of them wait at the start")
    options = parser.parse_args()
    names = options.contestants or list(CONTESTANTS)
    found = [_found(parser, name) for name in names]
    if options.rounds < 1:
        parser.error("at least one round must count")
    if options.events < options.in_flight * _LEAST_EVENTS_PER_CALL:
        parser.error(f"{options.in_flight} in flight need {options.in_flight * _LEAST_EVENTS_PER_CALL} events or more")
    if options.quota < 1 or (options.rate is not None and not 0 < options.rate <= options.quota):
        parser.error("the quota must be at least 1, and the rate above 0 and no more than the quota")
    try:
        standings = asyncio.run(compare(dict(zip(names, found, strict=False)), names, options))
    except (Disqualified, ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    print(load(options.in_flight, None if options.quota == _NO_QUOTA else options.quota, options.rate, options.latency))
    print(table(standings))
    settings = {key: value for key, value in vars(options).items() if key != "contestants"}
    print(orjson.dumps({"settings": settings, **comparison(standings)}).decode())


def _found(parser: argparse.ArgumentParser, name: str) -> Contestant:
    try:
        return contestant(name)
    except KeyError:
        parser.error(
            f"no contestant is called {name}; there are: {', '.join(CONTESTANTS)} and service@FOLDER, where FOLDER "
            "holds the service's sources"
        )


async def compare(
    contestants: dict[str, Contestant], names: Sequence[str], options: argparse.Namespace
) -> list[Standing]:
    """
    Run every round and return what each contestant's counted runs cost, in the order of `names`.

    Raises:
        Disqualified: one of them did not do the work.
        ToolMissing, DownloadFailed, StartFailed: there is no Kafka to run on.
    """
    runs: list[list[Steady]] = [[] for _ in names]
    async with (
        KafkaCluster.start(brokers=1) as kafka,
        QuickProvider.start(latency=options.latency, spread=_SPREAD) as provider,
    ):
        if options.rate is None:
            await kafka.create_topic(_UPLOADS, partitions=_PARTITIONS)
            await publish(kafka.bootstrap_servers, _UPLOADS, upload_events(options.events))
        for number in range(options.rounds + 1):
            order = list(enumerate(names))
            if number % 2:  # there and back: what grows from run to run weighs on no place more than on another
                order.reverse()
            for place, name in order:
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    course = await _course(kafka, provider, f"bench.{number}.{place}", Path(folder), options)
                    try:
                        cost = await _run(contestants[name], course, provider, options.rate)
                    except Disqualified as fault:
                        raise Disqualified(f"{name}, round {number}: {fault}") from fault
                print(
                    f"round {number}  {name:12} {cost.cpu_per_event * 1_000:6.3f} ms CPU per event, "
                    f"{cost.events_per_second:5.0f} events/s{'' if number else '  (warm-up)'}",
                    file=sys.stderr,
                )
                if number:
                    runs[place].append(cost)
    return [Standing(name, costs) for name, costs in zip(names, runs, strict=True)]


async def _run(ours: Contestant, course: Course, provider: QuickProvider, rate: float | None) -> Steady:
    """Run a contestant once; with a rate, on uploads of its own, of which it finds the first ones waiting."""
    if rate is None:
        return await run(ours, course, provider)
    events = upload_events(course.events)
    await publish(course.bootstrap_servers, course.uploads, islice(events, course.edge))

    async def upload() -> None:
        await publish_steadily(course.bootstrap_servers, course.uploads, events, rate)

    return await run(ours, course, provider, upload)


async def _course(
    kafka: KafkaCluster, provider: QuickProvider, prefix: str, folder: Path, options: argparse.Namespace
) -> Course:
    """Return a course with output topics and a group of its own, over the same uploads as every other if all wait."""
    course = Course(
        bootstrap_servers=kafka.bootstrap_servers,
        provider=provider.endpoint,
        uploads=_UPLOADS if options.rate is None else f"{prefix}.uploads",
        passed=f"{prefix}.pass",
        review=f"{prefix}.review",
        block=f"{prefix}.block",
        dead_letter=f"{prefix}.dead-letter",
        group=prefix,
        in_flight=options.in_flight,
        quota=options.quota,
        events=options.events,
        folder=folder,
    )
    for topic in course.outputs if options.rate is None else (course.uploads, *course.outputs):
        await kafka.create_topic(topic, partitions=_PARTITIONS)
    return course


if __name__ == "__main__":
    main()
