"""
Weighs the contestants beside each other: same Kafka, same provider, same events, in turn.

They alternate, so that whatever else the machine does falls on all of them; the first round warms it up and is not
counted.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson

from bench.contestants import CONTESTANTS, Course
from bench.events import upload_events
from bench.race import Disqualified, run
from bench.report import Standing, comparison, table
from bench.steady import Steady
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider

_UPLOADS = "bench.uploads"
_PARTITIONS = 4
# Calls that begin together would otherwise end together for thousands of events, and waves are cheaper to carry.
_SPREAD = 0.5
# The steady part leaves two rounds of calls out at either end; as many should be left.
_LEAST_EVENTS_PER_CALL = 8


def main() -> None:
    """Parse the command line, run the rounds, and print a table and one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="CPU per event of each contestant")
    parser.add_argument(
        "contestants",
        nargs="*",
        metavar="CONTESTANT",
        help=f"the first is the floor; one named twice shows the noise; default: {' '.join(CONTESTANTS)}",
    )
    parser.add_argument("--events", type=int, default=3_000, help="uploads that each run carries")
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds, after one that is not")
    parser.add_argument("--in-flight", type=int, default=64, help="calls at once")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the provider takes")
    options = parser.parse_args()
    names = options.contestants or list(CONTESTANTS)
    if unknown := sorted(set(names) - set(CONTESTANTS)):
        parser.error(f"no contestant is called {', '.join(unknown)}; there are: {', '.join(CONTESTANTS)}")
    if options.rounds < 1:
        parser.error("at least one round must count")
    if options.events < options.in_flight * _LEAST_EVENTS_PER_CALL:
        parser.error(f"{options.in_flight} in flight need {options.in_flight * _LEAST_EVENTS_PER_CALL} events or more")
    try:
        standings = asyncio.run(compare(names, options))
    except (Disqualified, ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    print(table(standings))
    settings = {key: value for key, value in vars(options).items() if key != "contestants"}
    print(orjson.dumps({"settings": settings, **comparison(standings)}).decode())


async def compare(names: Sequence[str], options: argparse.Namespace) -> list[Standing]:
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
                        cost = await run(CONTESTANTS[name], course, provider)
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


async def _course(
    kafka: KafkaCluster, provider: QuickProvider, prefix: str, folder: Path, options: argparse.Namespace
) -> Course:
    """Return a course over the same uploads as every other, with output topics and a group of its own."""
    course = Course(
        bootstrap_servers=kafka.bootstrap_servers,
        provider=provider.endpoint,
        uploads=_UPLOADS,
        passed=f"{prefix}.pass",
        review=f"{prefix}.review",
        block=f"{prefix}.block",
        dead_letter=f"{prefix}.dead-letter",
        group=prefix,
        in_flight=options.in_flight,
        events=options.events,
        folder=folder,
    )
    for topic in course.outputs:
        await kafka.create_topic(topic, partitions=_PARTITIONS)
    return course


if __name__ == "__main__":
    main()
