"""
One run of one contestant: start it, wait for every outcome, stop it, and weigh it by its CPU clock.

A run counts only if the work was done: each event has one outcome, in the right topic, and was asked about once.
"""

import asyncio
import ctypes
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer

from bench.contestants import Contestant, Course
from bench.steady import Sample, Steady, steady_part
from tests.rig.children import running, stop
from tests.rig.quick_provider.process import QuickProvider

_SAMPLE_INTERVAL = 0.02
_START_ALLOWANCE = 60.0
_SLOWEST_RATE = 50.0


Uploading = Callable[[], Coroutine[Any, Any, None]]


class Disqualified(RuntimeError):
    """A contestant did not do the work; its figures mean nothing. The message ends with its last lines of output."""


async def run(
    contestant: Contestant, course: Course, provider: QuickProvider, upload: Uploading | None = None
) -> Steady:
    """
    Let `contestant` run `course` and return what its steady part cost.

    `upload` publishes while it runs what is not in the topic yet, once the first outcome is there.

    Raises:
        Disqualified: it ended early, took too long, or did too little, too much or something else.
    """
    await provider.clear()
    start = contestant(course)
    log = course.folder / "output.log"
    try:
        with log.open("wb") as output:
            async with (
                running(start.command, environment=start.environment, output=output) as process,
                _observed(course) as outcomes,
            ):
                samples: list[Sample] = []
                times = await _all_outcomes(course, outcomes, process, samples, upload)
                status = await stop(process)
                await _check_work(course, outcomes, provider, status)
    except Disqualified as fault:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise Disqualified(f"{fault}\n{tail}") from fault
    return steady_part(times, samples, edge=course.edge)


@asynccontextmanager
async def _observed(course: Course) -> AsyncIterator[Any]:
    """A consumer of every output topic, without a group. It lets outcomes pile up, to take little CPU from the run."""
    consumer = AIOKafkaConsumer(
        *course.outputs,
        bootstrap_servers=course.bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_min_bytes=1_048_576,
        fetch_max_wait_ms=200,
    )
    async with consumer:
        yield consumer


async def _all_outcomes(
    course: Course, outcomes: Any, process: Process, samples: list[Sample], upload: Uploading | None
) -> list[float]:
    """Return when each outcome was produced, in seconds since the epoch, while `samples` gets the CPU clock's state."""
    reading = asyncio.create_task(_read(outcomes, course.events, upload))
    ending = asyncio.create_task(process.wait())
    sampling = asyncio.create_task(_sample(_cpu_clock(process.pid), samples))
    try:
        allowed = _START_ALLOWANCE + course.events / min(_SLOWEST_RATE, course.quota / 2)
        await asyncio.wait({reading, ending}, timeout=allowed, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            raise Disqualified(f"it ended with status {process.returncode} before every outcome was there")
        if not reading.done():
            raise Disqualified(f"not every outcome was there after {allowed:.0f} s")
        return reading.result()
    finally:
        tasks = (reading, ending, sampling)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(outcomes: Any, count: int, upload: Uploading | None) -> list[float]:
    times: list[float] = []
    uploading: asyncio.Task[None] | None = None
    while len(times) < count:
        batches = await outcomes.getmany(timeout_ms=200)
        times += [record.timestamp / 1_000 for records in batches.values() for record in records]
        if times and upload and uploading is None:
            uploading = asyncio.create_task(upload())
    if uploading is not None:
        await uploading
    return times


async def _sample(clock: int, samples: list[Sample]) -> None:
    """Note the state of a CPU clock every twenty milliseconds, until cancelled or its process is gone."""
    while True:
        samples.append(Sample(time.time(), time.clock_gettime(clock)))
        await asyncio.sleep(_SAMPLE_INTERVAL)


def _cpu_clock(pid: int) -> int:
    """Return the id of the clock that counts the nanoseconds of all threads of a process, those that ended too."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, f"process {pid} has no CPU clock")
    return clock.value


async def _check_work(course: Course, outcomes: Any, provider: QuickProvider, status: int) -> None:
    """Raise `Disqualified` unless each event was asked about once and has its one outcome."""
    if status != 0:
        raise Disqualified(f"it ended with status {status} after SIGTERM")
    ends = await outcomes.end_offsets(outcomes.assignment())
    found = Counter[str]()
    for partition, end in ends.items():
        found[partition.topic] += end
    if +found != {course.passed: course.events}:
        raise Disqualified(f"{course.events} outcomes in {course.passed} were due, found {dict(+found)}")
    calls = Counter(arrival.data_id for arrival in await provider.arrivals())
    if len(calls) != course.events or calls.total() != course.events:
        raise Disqualified(f"{course.events} images were to be asked about once: {len(calls)} in {calls.total()} calls")
