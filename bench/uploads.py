"""
Images that this service fetches and uploads: quota use, memory and stalls: `python -m bench.uploads`.

The stand-in serves the images, takes the uploads and answers after 0.3 s; its own arrival log is what counts. Stalls of
the event loop are seen from inside (`lateness.py`), and beside it as the time that /livez takes, asked every 10 ms from
this process, which waits for a CPU as well. The same with a service that fetches nothing says what the rest adds.
Nothing reads /metrics meanwhile: the page is made in the loop, and who scrapes reads it far less often.

Exits with 1 where a case uses too little of the quota or more than it, holds more memory than the service that fetches
nothing and `images.max_bytes_held` together, or has its loop stall for too long.
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
HELD = 128 * MIB  # images.max_bytes_held
LEAST_USE = 0.95  # of the quota
LONGEST_STALL = 0.05  # seconds, p99.9


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

    def problems(self, base: int) -> list[str]:
        """What is worse than promised; `base` is the peak, in bytes, of a service that fetches nothing."""
        use, stall, most = self.rate / self.case.quota, _quantile([each.own for each in self.looks], 0.999), base + HELD
        found = {
            f"{use:.3f} of the quota is used, less than {LEAST_USE}": use < LEAST_USE,
            f"{self.over} sliding seconds have more calls than the quota": self.over > 0,
            f"{self.peak / MIB:.0f} MiB are more than {most / MIB:.0f} MiB": self.peak > most,
            f"the loop stalls for {stall * 1000:.1f} ms": stall > LONGEST_STALL,
        }
        return [f"Q = {self.case.quota}, {self.case.size} bytes: {what}" for what, is_so in found.items() if is_so]


def _quantile(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _ms(seconds: Sequence[float], share: float) -> str:
    return f"{_quantile(seconds, share) * 1000:7.1f}"


def _waited(looks: Sequence[Look]) -> float:
    """The share of the time in which the loop was ready to run and had no CPU."""
    return sum(look.waited for look in looks) / (looks[-1].at - looks[0].at)


HEADINGS = (
    f"{'own stalls, ms':>68}{'CPU, ms':>13}{'late, ms':>10}{'/livez':>8}{'without':>9}{'stamps':>8}\n"
    "    Q     image  calls/s      of Q  seconds>Q     memory      p99   p99.9     max    p99.9     p99.9   p99.9   CPU"
    "      ms"
)


def main() -> int:
    """Parse the command line and print a line for each case; 1 where one is worse than promised."""
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description="Quota use with uploads")
    parser.add_argument("--share", type=float, default=1.0, help="of the images that each case has")
    options = parser.parse_args()
    try:
        problems = asyncio.run(compare(options.share))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    print("\n".join(["", *problems] if problems else ["", "As promised."]))
    return 1 if problems else 0


async def compare(share: float) -> list[str]:
    """Judge a backlog in each case, and say what is worse than promised."""
    print(f"{IN_FLIGHT} calls at once, of {LATENCY} s; images.max_bytes_held {HELD // MIB} MiB.\n\n{HEADINGS}")
    uses = list[Use]()
    async with KafkaCluster.start(brokers=1) as kafka:
        for number, case in enumerate(CASES):
            stage = Stage(kafka, f"uploads-{number}")
            await stage.set_up()
            uses.append(await _use_of(stage, case._replace(images=round(case.images * share))))
            print(uses[-1], flush=True)
    return [problem for use in uses for problem in use.problems(uses[0].peak)]


async def _use_of(stage: Stage, case: Case) -> Use:
    # Two stand-ins, so that megabytes do not delay the stamps of calls.
    async with QuickProvider.start() as store, QuickProvider.start(latency=LATENCY, store=store.endpoint) as provider:
        config = stage.config(provider.endpoint, quota={"qps": case.quota}, provider={"max_in_flight": IN_FLIGHT})
        config["images"] = {"allow": {"networks": ["127.0.0.1"]}, "max_bytes_held": HELD}
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
    sys.exit(main())
