"""
One run of one contestant: start it, wait for every outcome, stop it, and weigh it by its CPU clock.

A run counts only if the work was done: each event has one outcome, in the right topic, and was asked about once.
"""

import asyncio
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer

from bench.contestants import Contestant, Course
from bench.figures import Figures
from bench.steady import Steady, steady_between, steady_part
from bench.watching import Watch
from tests.rig.children import running, stop
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.windows import busiest_window, mean_rate

_START_ALLOWANCE = 60.0
_SLOWEST_RATE = 50.0
WARM = 4.0
"""Seconds from the first outcome on that do not count, where a run lasts for a time."""

Uploading = Callable[[], Coroutine[Any, Any, Mapping[bytes, float]]]
"""Publishes, and returns when each upload was published, by its key: seconds since the epoch."""


class Outcome(NamedTuple):
    """A record in an output topic; times in seconds since the epoch."""

    key: bytes
    at: float
    """When it was produced, by its own timestamp."""

    received: float


class Disqualified(RuntimeError):
    """A contestant did not do the work; its figures mean nothing. The message ends with its last lines of output."""


async def run(
    contestant: Contestant, course: Course, provider: QuickProvider, upload: Uploading | None = None
) -> Figures:
    """
    Let `contestant` run `course` and return what it came to.

    `upload` publishes while it runs what is not in the topic yet, once the `edge` uploads that wait there have their
    outcomes: what came before would wait behind them, and its delay would be theirs.

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
                _observed(course, at_once=upload is not None) as consumer,
            ):
                try:
                    watch = Watch(process.pid, port=int(course.provider.rpartition(":")[2]))
                    outcomes, published = await _all_outcomes(course, consumer, process, watch, upload, start.warms_up)
                    idle = await watch.idle_cores(course.idle) if course.idle else None
                    peak_rss = watch.peak_rss()
                    status = await stop(process)
                    await _check_work(course, consumer, provider, outcomes, status)
                except ProcessLookupError as error:
                    raise Disqualified(_early(await process.wait())) from error
                except OSError as error:
                    raise Disqualified(f"it could not be watched: {error}") from error
        calls = [arrival.at for arrival in await provider.arrivals()]
        return Figures(
            steady=_steady(course, outcomes, watch, start.warms_up),
            peak_rss=peak_rss,
            connections=watch.connections,
            busiest_second=busiest_window(calls),
            calls_per_second=mean_rate(calls),
            idle_cores=idle,
            delays=_delays(outcomes, published, course.latency) if published else None,
        )
    except Disqualified as fault:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise Disqualified(f"{fault}\n{tail}") from fault


def _early(status: int) -> str:
    return f"it ended with status {status} before every outcome was there"


def _steady(course: Course, outcomes: Sequence[Outcome], watch: Watch, warms_up: float) -> Steady:
    times = [outcome.at for outcome in outcomes]
    try:
        if course.seconds is None:
            return steady_part(times, watch.samples, edge=course.edge)
        begins = min(times) + warms_up
        ends = begins + course.seconds
        if len(outcomes) >= course.events and max(times) < ends:
            raise Disqualified(f"{course.events} events were too few for {warms_up + course.seconds:g} s")
        return steady_between(times, watch.samples, begins, ends)
    except ValueError as error:
        raise Disqualified(f"it could not be weighed: {error}") from error


def _delays(outcomes: Sequence[Outcome], published: Mapping[bytes, float], latency: float) -> Sequence[float]:
    return sorted(
        outcome.received - published[outcome.key] - latency for outcome in outcomes if outcome.key in published
    )


@asynccontextmanager
async def _observed(course: Course, *, at_once: bool) -> AsyncIterator[Any]:
    """
    A consumer of every output topic, without a group. It lets outcomes pile up, to take little CPU from the run, unless
    what counts is when a subscriber gets them.
    """
    consumer = AIOKafkaConsumer(
        *course.outputs,
        bootstrap_servers=course.bootstrap_servers,
        auto_offset_reset="earliest",
        fetch_min_bytes=1 if at_once else 1_048_576,
        fetch_max_wait_ms=200,
    )
    async with consumer:
        yield consumer


async def _all_outcomes(
    course: Course, consumer: Any, process: Process, watch: Watch, upload: Uploading | None, warms_up: float
) -> tuple[list[Outcome], Mapping[bytes, float]]:
    """Return the outcomes, and when uploads were published that came meanwhile, while `watch` watches."""
    reading = asyncio.create_task(_read(consumer, course, upload, warms_up))
    ending = asyncio.create_task(process.wait())
    watching = asyncio.create_task(watch.run())
    try:
        allowed = _START_ALLOWANCE + (
            course.events / min(_SLOWEST_RATE, course.quota / 2)
            if course.seconds is None
            else warms_up + course.seconds + course.latency
        )
        await asyncio.wait({reading, ending}, timeout=allowed, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            raise Disqualified(_early(ending.result()))
        if not reading.done():
            raise Disqualified(f"not every outcome was there after {allowed:.0f} s")
        watch.sample()  # the last may be older than the last outcome
        return reading.result()
    finally:
        tasks = (reading, ending, watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(
    consumer: Any, course: Course, upload: Uploading | None, warms_up: float
) -> tuple[list[Outcome], Mapping[bytes, float]]:
    outcomes: list[Outcome] = []
    uploading: asyncio.Task[Mapping[bytes, float]] | None = None
    while len(outcomes) < course.events and not _has_lasted(course, outcomes, warms_up):
        batches = await consumer.getmany(timeout_ms=200)
        now = time.time()
        outcomes += _outcomes(batches, now)
        if len(outcomes) >= course.edge and upload and uploading is None:
            uploading = asyncio.create_task(upload())
    return outcomes, await uploading if uploading is not None else {}


def _has_lasted(course: Course, outcomes: Sequence[Outcome], warms_up: float) -> bool:
    """Whether the steady part is over; half a second more, so that the clock is read after it too."""
    return (
        course.seconds is not None and bool(outcomes) and time.time() > outcomes[0].at + warms_up + course.seconds + 0.5
    )


def _outcomes(batches: Mapping[Any, Sequence[Any]], now: float) -> list[Outcome]:
    return [
        Outcome(record.key or b"", record.timestamp / 1_000, now) for records in batches.values() for record in records
    ]


async def _check_work(
    course: Course, consumer: Any, provider: QuickProvider, outcomes: list[Outcome], status: int
) -> None:
    """
    Raise `Disqualified` unless each event was asked about once and has its one outcome; of a run that lasts for a time,
    each one that it came to, but for the calls in flight at its end.
    """
    if status != 0:
        raise Disqualified(f"it ended with status {status} after SIGTERM")
    ends = await consumer.end_offsets(consumer.assignment())
    found = Counter[str]()
    for partition, end in ends.items():
        found[partition.topic] += end
    calls = Counter(arrival.data_id for arrival in await provider.arrivals())
    if course.seconds is None:
        if +found != {course.passed: course.events}:
            raise Disqualified(f"{course.events} outcomes in {course.passed} were due, found {dict(+found)}")
        if len(calls) != course.events or calls.total() != course.events:
            asked = f"{len(calls)} in {calls.total()} calls"
            raise Disqualified(f"{course.events} images were to be asked about once: {asked}")
        return
    if set(+found) != {course.passed}:
        raise Disqualified(f"outcomes in {course.passed} alone were due, found {dict(+found)}")
    unfinished = calls.total() - found[course.passed]
    if len(calls) != calls.total() or not 0 <= unfinished <= course.in_flight:
        raise Disqualified(
            f"{found[course.passed]} outcomes of {len(calls)} images in {calls.total()} calls, of which "
            f"{course.in_flight} may be in flight at the end"
        )
    if len({outcome.key for outcome in outcomes}) != len(outcomes):
        raise Disqualified("there are two outcomes about one upload")
