"""
Images that this service fetches and uploads: quota use, memory and stalls: `python -m bench.uploads`.

The stand-in serves the images, takes the uploads and answers after 0.3 s; its own arrival log is what counts. Stalls of
the event loop are seen from inside (`lateness.py`), and beside it as the time that /livez takes, asked every 10 ms from
this process, which waits for a CPU as well. The same with a service that fetches nothing says what the rest adds.
Nothing reads /metrics meanwhile: the page is made in the loop, and who scrapes reads it far less often.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from bench.lateness import Look, read_looks
from tests.rig.events import upload
from tests.rig.fuzz.service import peak_memory
from tests.rig.kafka import DownloadFailed, KafkaCluster, NewRecord, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import mean_rate, windows_over

LATENCY = 0.3  # seconds
IN_FLIGHT = 64
PING = 0.01  # seconds between two looks at /livez
MIB = 1024 * 1024


class Case(NamedTuple):
    """What is uploaded, how fast."""

    quota: int  # calls a second
    size: int  # bytes of an image; 0: none is uploaded
    images: int


CASES = (Case(100, 0, 1_500), Case(100, 1_000_000, 1_500), Case(15, 5_000_000, 300))


@dataclass(frozen=True, slots=True)
class Use:
    """What one case came to."""

    case: Case
    rate: float  # calls a second, from the first to the last
    over: int  # sliding seconds with more calls than the quota
    peak: int  # bytes
    pings: list[float]  # seconds that /livez took
    looks: list[Look]
    lag: float  # seconds by which an arrival may be stamped too late

    def __str__(self) -> str:
        quota, size, use = self.case.quota, self.case.size / 1e6, self.rate / self.case.quota
        memory = f"{self.peak / MIB:>6.0f} MiB"
        figures = f"{quota:>5}  {size:>5.1f} MB  {self.rate:>7.1f}  {use:>8.3f}  {self.over:>9}  {memory}"
        loop, looks = [look.own for look in self.looks], self.looks
        stalls = f"{_ms(loop, 0.99)} {_ms(loop, 0.999)} {_ms(loop, 1)}  {_ms([look.cpu for look in looks], 0.999)}"
        machine = f"{_ms([look.late for look in looks], 0.999)}  {_ms(self.pings, 0.999)}  {_waited(looks):>4.0%}"
        return f"{figures}  {stalls}  {machine} {self.lag * 1000:7.1f}"


def _ms(seconds: Sequence[float], share: float) -> str:
    ordered = sorted(seconds)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:7.1f}"


def _waited(looks: Sequence[Look]) -> float:
    """The share of the time in which the loop was ready to run and had no CPU."""
    return sum(look.waited for look in looks) / (looks[-1].at - looks[0].at)


HEADINGS = (
    f"{'own stalls, ms':>68}{'CPU, ms':>13}{'late, ms':>10}{'/livez':>8}{'without':>9}{'stamps':>8}\n"
    "    Q     image  calls/s      of Q  seconds>Q     memory      p99   p99.9     max    p99.9     p99.9   p99.9   CPU"
    "      ms"
)


def main() -> None:
    """Parse the command line and print a line for each case."""
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description="Quota use with uploads")
    parser.add_argument("--share", type=float, default=1.0, help="of the images that each case has")
    options = parser.parse_args()
    try:
        asyncio.run(compare(options.share))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def compare(share: float) -> None:
    """Judge a backlog in each case."""
    print(f"{IN_FLIGHT} calls at once, of {LATENCY} s; images.max_bytes_held 128 MiB.\n\n{HEADINGS}", flush=True)
    async with KafkaCluster.start(brokers=1) as kafka:
        for number, case in enumerate(CASES):
            stage = Stage(kafka, f"uploads-{number}")
            await stage.set_up()
            print(await _use_of(stage, case._replace(images=round(case.images * share))), flush=True)


async def _use_of(stage: Stage, case: Case) -> Use:
    # Two stand-ins, so that megabytes do not delay the stamps of calls.
    async with QuickProvider.start() as store, QuickProvider.start(latency=LATENCY, store=store.endpoint) as provider:
        config = stage.config(provider.endpoint, quota={"qps": case.quota}, provider={"max_in_flight": IN_FLIGHT})
        config["images"] = {"allow": {"networks": ["127.0.0.1"]}}
        url = f"{store.endpoint}/images/{case.size}/{{key}}"
        config["bindings"] = [{"bucket": "b", "via": "upload" if case.size else "url", "url": url}]
        events = [NewRecord(_event(number), key=f"shop-eu|{number}".encode()) for number in range(case.images)]
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        with tempfile.TemporaryDirectory() as folder:
            lateness = Path(folder) / "lateness.json"
            program = ("bench.lateness", str(lateness))
            async with Replica.started(Path(folder), config, program=program) as replica:
                await replica.ready(timeout=60)
                async with _pinged(replica) as pings:
                    began = time.monotonic()
                    await _until_asked(provider, case.images, timeout=60 + 4 * case.images / case.quota)
                    ended = time.monotonic()
                await replica.until_metric("moderation_calls_billed_total", at_least=case.images)
                peak = peak_memory(replica.pid)
                replica.terminate()
                await replica.ended()
            looks = read_looks(lateness, began, ended)
        lag = (await provider.stats())["worst_lag"]
        arrivals = [arrival.at for arrival in await provider.arrivals()]
    return Use(case, mean_rate(arrivals), windows_over(arrivals, case.quota), peak, pings, looks, lag)


async def _until_asked(provider: QuickProvider, images: int, timeout: float) -> None:
    async with asyncio.timeout(timeout):
        while (await provider.stats())["arrivals"] < images:
            await asyncio.sleep(0.25)


def _event(number: int) -> bytes:
    ref: dict[str, Any] = {"store": "s3", "bucket": "b", "key": f"{number}.png"}
    return upload(f"event-{number}", images=[{"id": "0", "ref": ref}])


@contextlib.asynccontextmanager
async def _pinged(replica: Replica) -> AsyncIterator[list[float]]:
    took: list[float] = []

    async def ping() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                began = time.monotonic()
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with session.get(f"{replica.url}/livez"):
                        took.append(time.monotonic() - began)
                await asyncio.sleep(PING)

    task = asyncio.ensure_future(ping())
    try:
        yield took
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    main()
