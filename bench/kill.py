"""
One of two processes of a contestant is killed in the middle of its work; the other goes on: `python -m bench.kill`.

What is lost, published twice, billed twice? Seeds in turn, and within each the contestants. With a quota, each of the
peers' two has half of it, and two of the service share it. The provider counts the calls, the output topics hold the
outcomes.

    python -m bench.kill service benthos parallel-consumer --seeds 5
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from bench.casualties import Casualties, casualties
from bench.contestants import CONTESTANTS, Contestant, Course, contestant
from bench.contestants.built import BuildFailed
from bench.events import upload_events
from bench.loads import UNPACED
from bench.race import Disqualified
from tests.rig.children import running
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider

PARTITIONS = 8
SESSION_TIMEOUT = 6.0  # seconds, of all of them
TOGETHER = 5.0  # seconds from the start of both until there is work: what a rebalance costs is another question
BILLED = 200
QUIET = SESSION_TIMEOUT + 10.0  # seconds without an outcome after which none will come
STARTS = 60.0  # seconds until the first outcome
LONGEST = 300.0  # seconds


def main() -> None:
    """Parse the command line, kill, and print a line for each run and one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description="What a kill loses or does twice")
    parser.add_argument("contestants", nargs="*", metavar="CONTESTANT", help="as those of python -m bench; not bare")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each, at another moment each")
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--in-flight", type=int, default=64, help="calls at once, of each process")
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that the provider takes")
    parser.add_argument("--quota", type=int, help="calls a second of both together; without it there is none")
    options = parser.parse_args()
    names = options.contestants or [name for name in CONTESTANTS if name != "bare"]
    try:
        found = {name: contestant(name) for name in names}
    except KeyError as error:
        parser.error(f"no contestant is called {error.args[0]}; there are: {', '.join(CONTESTANTS)}")
    if "bare" in found:
        parser.error("the bare loop commits at its end alone: it cannot be killed to any purpose")
    try:
        results = asyncio.run(compare(found, options))
    except (Disqualified, BuildFailed, ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    told = {name: [each._asdict() for each in runs] for name, runs in results.items()}
    print(orjson.dumps({"settings": {**vars(options), "contestants": names}, "runs": told}).decode())


async def compare(
    contestants: Mapping[str, Contestant], options: argparse.Namespace
) -> Mapping[str, Sequence[Casualties]]:
    """Kill each once with each seed. Raises what `python -m bench` does."""
    results: dict[str, list[Casualties]] = {name: [] for name in contestants}
    async with KafkaCluster.start(brokers=1) as kafka, QuickProvider.start(latency=options.latency) as provider:
        for seed in range(options.seeds):
            for place, (name, each) in enumerate(contestants.items()):
                with tempfile.TemporaryDirectory(prefix="bench-kill-") as folder:
                    course = _course(kafka, provider, f"kill.{seed}.{place}", Path(folder), options)
                    for topic in (course.uploads, *course.outputs):
                        await kafka.create_topic(topic, partitions=PARTITIONS)
                    if options.quota and not name.startswith("service"):  # they know nothing of a quota that is shared
                        course = replace(course, quota=options.quota // 2)
                    found = await killed(each, course, provider, random.Random(f"kill {seed}"))
                results[name].append(found)
                print(
                    f"seed {seed}  {name:20} lost {found.lost:4}  published twice {found.published_twice:4}  "
                    f"billed twice {found.billed_twice:4}",
                    flush=True,
                )
    return results


async def killed(each: Contestant, course: Course, provider: QuickProvider, dice: random.Random) -> Casualties:
    """
    Start two, publish uploads, kill one where a fifth to four fifths have their outcome, and count once all is quiet.

    Raises:
        Disqualified: one of them ended by itself, or too few outcomes came for a kill.
    """
    await provider.clear()
    uploads = list(upload_events(course.events))
    wanted = round(dice.uniform(0.2, 0.8) * course.events)
    victim = dice.randrange(2)
    async with AsyncExitStack() as stack:
        processes = []
        for number in range(2):
            start = each(replace(course, name=f"replica-{number}"))
            output = stack.enter_context((course.folder / f"output-{number}.log").open("wb"))
            started = running(start.command, environment=start.environment, output=output)
            processes.append(await stack.enter_async_context(started))
        await asyncio.sleep(TOGETHER)
        outcomes = Outcomes(await stack.enter_async_context(_consumer(course)))
        await publish(course.bootstrap_servers, course.uploads, uploads)
        await outcomes.until(wanted, course.events)
        if len(outcomes.keys) < wanted or any(process.returncode is not None for process in processes):
            raise Disqualified(_last_words(course.folder, len(outcomes.keys)))
        processes[victim].kill()
        await outcomes.until(course.events, course.events)
        # A redelivery may still be on its way where every upload has an outcome.
        await outcomes.until(None, course.events)
    calls = [arrival.image for arrival in await provider.arrivals() if arrival.code == BILLED]
    return casualties({upload.key or b"" for upload in uploads}, outcomes.keys, calls)


class Outcomes:
    """The keys of all outcomes, as they come."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.keys: list[bytes] = []

    async def until(self, uploads: int | None, most: int) -> None:
        """Return once so many uploads have an outcome, or none has come for `QUIET` seconds; None: the latter."""
        began = came = time.monotonic()
        quiet = SESSION_TIMEOUT + 2 if uploads is None else QUIET if self.keys else STARTS
        while (uploads is None or len(set(self.keys)) < min(uploads, most)) and time.monotonic() - came < quiet:
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                self.keys += [record.key or b"" for record in records]
                came = time.monotonic()
            if time.monotonic() - began > LONGEST:
                raise Disqualified(f"it was at work for {LONGEST:g} s, and was not through")


def _consumer(course: Course) -> Any:
    return AIOKafkaConsumer(*course.outputs, bootstrap_servers=course.bootstrap_servers, auto_offset_reset="earliest")


def _last_words(folder: Path, outcomes: int) -> str:
    logs = [file.read_text(errors="replace").splitlines()[-5:] for file in sorted(folder.glob("output-*.log"))]
    last = [line for log in logs for line in log]
    return "\n".join([f"a process ended by itself or stood still, after {outcomes} outcomes", *last])


def _course(
    kafka: KafkaCluster, provider: QuickProvider, prefix: str, folder: Path, options: argparse.Namespace
) -> Course:
    return Course.under(
        prefix,
        bootstrap_servers=kafka.bootstrap_servers,
        provider=provider.endpoint,
        uploads=f"{prefix}.uploads",
        in_flight=options.in_flight,
        quota=options.quota or UNPACED,
        events=options.images,
        folder=folder,
        latency=options.latency,
        session_timeout=SESSION_TIMEOUT,
    )


if __name__ == "__main__":
    main()
