"""
What a second replica adds: `python -m bench.replicas`.

A backlog without a pace, carried by one replica and then by two of one group, each pinned to a core of its own. Kafka
and the provider run beside them and take their part of these cores, so the wall clock says little. What counts is how
many events the replicas carried in a second of their own CPU, by the kernel's clock of each process: two replicas on
cores that they have to themselves carry twice as many as one, unless an event costs more where there are two.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer

from bench.contestants import Course, service
from bench.events import upload_events
from bench.loads import LATENCY, UNPACED
from bench.race import Disqualified
from bench.steady import steady_between
from bench.watching import Watch
from tests.rig.children import running, stop
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish, read_all
from tests.rig.quick_provider.process import QuickProvider

PARTITIONS = 8
EVENTS = 80_000
TOGETHER = 12.0  # seconds from the first outcome until all replicas have their partitions, and are warm
LONGEST_START = 60.0  # seconds until the first outcome
LEAST_PART = 0.25  # of an even part of the CPU, that a replica must have used to count


class Carried(NamedTuple):
    """What so many replicas carried in the steady part of a run."""

    events: int
    seconds: float
    cpu_seconds: tuple[float, ...]  # of each replica

    @property
    def per_cpu_second(self) -> float:
        """Events for a second of the replicas' CPU."""
        return self.events / sum(self.cpu_seconds)


def main() -> None:
    """Run the rounds in turn, and print each, the medians and how many times one replica two are."""
    parser = argparse.ArgumentParser(prog="python -m bench.replicas", description="What a second replica adds")
    parser.add_argument("--rounds", type=int, default=3, help="runs with one replica, and as many with two")
    parser.add_argument("--in-flight", type=int, default=64, help="calls at once, of each replica")
    parser.add_argument("--seconds", type=float, default=10.0, help="the steady part of a run")
    options = parser.parse_args()
    try:
        found = asyncio.run(compare(options.rounds, options.in_flight, options.seconds))
    except (Disqualified, ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    one, two = (median(each.per_cpu_second for each in runs) for runs in found)
    print(f"events a CPU second: one replica {one:.0f}, two {two:.0f}; two are {2 * two / one:.2f} × one")
    runs = [[each._asdict() for each in counted] for counted in found]
    print(orjson.dumps({"one": runs[0], "two": runs[1], "times": 2 * two / one}).decode())


async def compare(rounds: int, in_flight: int, seconds: float) -> tuple[list[Carried], list[Carried]]:
    """Alternate. Raises what `python -m bench` does."""
    found: tuple[list[Carried], list[Carried]] = ([], [])
    async with KafkaCluster.start(brokers=1) as kafka, QuickProvider.start(latency=LATENCY, spread=0.5) as provider:
        await kafka.create_topic("replicas.uploads", partitions=PARTITIONS)
        await publish(kafka.bootstrap_servers, "replicas.uploads", upload_events(EVENTS))
        for number in range(rounds):
            for replicas in (1, 2) if number % 2 == 0 else (2, 1):
                with tempfile.TemporaryDirectory(prefix="bench-replicas-") as folder:
                    course = _course(kafka, provider, f"replicas.{number}.{replicas}", Path(folder), in_flight)
                    for topic in course.outputs:
                        await kafka.create_topic(topic, partitions=PARTITIONS)
                    carried = await _carried(course, provider, replicas, seconds)
                found[replicas - 1].append(carried)
                cpu = " + ".join(f"{each:.2f}" for each in carried.cpu_seconds)
                print(
                    f"round {number}  {replicas} replicas  {carried.events / carried.seconds:5.0f} events/s  "
                    f"{cpu} s of CPU in {carried.seconds:.0f} s  {carried.per_cpu_second:5.0f} events a CPU second",
                    flush=True,
                )
    return found


async def _carried(course: Course, provider: QuickProvider, replicas: int, seconds: float) -> Carried:
    await provider.clear()
    async with AsyncExitStack() as stack:
        watches, watching = list[Watch](), list[asyncio.Task[None]]()
        processes = []
        for number in range(replicas):
            start = service(replace(course, name=f"replica-{number}"))
            output = stack.enter_context((course.folder / f"output-{number}.log").open("wb"))
            process = await stack.enter_async_context(
                running(start.command, environment=start.environment, output=output)
            )
            _pin(process.pid, number)
            processes.append(process)
            watches.append(Watch(process.pid, port=int(course.provider.rpartition(":")[2])))
            watching.append(asyncio.create_task(watches[-1].run()))
            stack.callback(watching[-1].cancel)
        await _first_outcome(course)
        await asyncio.sleep(TOGETHER)
        begins = time.time()
        await asyncio.sleep(seconds)
        ends = time.time()
        await asyncio.sleep(0.1)  # so that the CPU clocks are read after the steady part as well
        for process in processes:
            if (status := await stop(process)) != 0:
                raise Disqualified(f"a replica ended with status {status}\n{_last_words(course.folder)}")
    outcomes = await read_all(course.bootstrap_servers, course.passed)
    if len({outcome.key for outcome in outcomes}) != len(outcomes):
        raise Disqualified("there are two outcomes about one upload")
    times = [outcome.timestamp / 1_000 for outcome in outcomes]
    parts = [steady_between(times, watch.samples, begins, ends) for watch in watches]
    cpu = tuple(part.cpu_seconds for part in parts)
    if min(cpu) < LEAST_PART * sum(cpu) / replicas:
        raise Disqualified(f"the replicas did not share the work: {cpu} s of CPU\n{_last_words(course.folder)}")
    return Carried(parts[0].events, ends - begins, cpu)


def _pin(pid: int, number: int) -> None:
    """Pin every thread of a process, and what these will start, to one core."""
    cores = sorted(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cores[number % len(cores)]})


async def _first_outcome(course: Course) -> None:
    consumer = AIOKafkaConsumer(course.passed, bootstrap_servers=course.bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        try:
            async with asyncio.timeout(LONGEST_START):
                await consumer.getone()
        except TimeoutError:
            raise Disqualified(f"no outcome for {LONGEST_START:g} s\n{_last_words(course.folder)}") from None


def _last_words(folder: Path) -> str:
    logs: Sequence[Sequence[str]] = [
        file.read_text(errors="replace").splitlines()[-5:] for file in sorted(folder.glob("output-*.log"))
    ]
    return "\n".join(line for log in logs for line in log)


def _course(kafka: KafkaCluster, provider: QuickProvider, prefix: str, folder: Path, in_flight: int) -> Course:
    return Course.under(
        prefix,
        bootstrap_servers=kafka.bootstrap_servers,
        provider=provider.endpoint,
        uploads="replicas.uploads",
        in_flight=in_flight,
        quota=UNPACED,
        events=EVENTS,
        folder=folder,
    )


if __name__ == "__main__":
    main()
