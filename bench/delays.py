"""
Whether images that fail for reasons of their own delay the others: `python -m bench.delays`.

Uploads come at a steady rate below the quota; in every second round some of them always fail: one with Code 500, one
that is never answered, and a bucket that the account may not read. What counts is the time from upload to verdict of
the good ones, by Kafka's timestamps, with the bad ones among them ÷ without.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from aiokafka import AIOKafkaProducer

from consumer.emulator import Emulator, Fault
from tests.rig.emulated import KEY, emulated, event_of
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, read_all
from tests.rig.replica import Replica
from tests.rig.stage import Stage

QPS = 100
RATE = 60  # uploads a second
REFUSED = 20  # images in the bucket that the account may not read
BAD = ["bad/500", "bad/never", *(f"refused/{number}" for number in range(REFUSED))]
FAULTS = [
    {"match": {"object": "bad/500"}, "what": {"code": 500}},
    {"match": {"object": "bad/never"}, "what": {"never_answer": True}},
    {"match": {"object": "refused/*"}, "what": {"code": 408}},
]


def main() -> None:
    """Run the rounds and print the percentiles of each and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench.delays", description="Do bad images delay good ones?")
    parser.add_argument("--good", type=int, default=1_000, help="good images in a round")
    parser.add_argument("--rounds", type=int, default=2, help="rounds without and as many with bad images")
    options = parser.parse_args()
    try:
        asyncio.run(compare(options.good, options.rounds))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def compare(good: int, rounds: int) -> None:
    """Alternate, and print a line a round and the ratio of the medians."""
    names = [f"good/{number}" for number in range(good)]
    p99: dict[bool, list[float]] = {False: [], True: []}
    async with (
        KafkaCluster.start(brokers=1) as kafka,
        emulated([*names, *BAD], qps=10 * QPS, latency=(0.1, 0.4)) as emulator,
    ):
        emulator.faults.replace(map(Fault.model_validate, FAULTS))
        for number in range(2 * rounds):
            with_bad = number % 2 == 1
            stage = Stage(kafka, f"delays-{number}")
            await stage.set_up()
            delays, reviewed = await _round(stage, emulator, _mixed(names) if with_bad else names)
            cuts = statistics.quantiles(delays, n=100)
            p99[with_bad].append(cuts[98])
            print(
                f"{'with' if with_bad else 'without':8} bad images: p50 {cuts[49] * 1000:4.0f} ms, p99 "
                f"{cuts[98] * 1000:4.0f} ms of {len(delays)} good ones; {reviewed} of {len(BAD) * with_bad} in review",
                flush=True,
            )
    print(f"p99 with ÷ without: {statistics.median(p99[True]) / statistics.median(p99[False]):.2f}")


def _mixed(names: list[str]) -> list[str]:
    """Spread the bad images over the first half of the good ones."""
    mixed = list(names)
    step = len(names) // 2 // len(BAD)
    for number, name in enumerate(BAD):
        mixed.insert((number + 1) * (step + 1), name)
    return mixed


async def _round(stage: Stage, emulator: Emulator, names: list[str]) -> tuple[list[float], int]:
    """Return the seconds from upload to verdict of every good image, and how many of the others are in review."""
    with tempfile.TemporaryDirectory() as folder:
        async with Replica.started(
            Path(folder), stage.config(emulator.url, quota={"qps": QPS}), environment=KEY
        ) as replica:
            await replica.ready()
            await _upload_steadily(stage, names)
            await stage.until(lambda ids: len(ids) >= len(names), timeout=180)
    bootstrap = stage.kafka.bootstrap_servers
    uploaded = {(each.partition, each.offset): each.timestamp for each in await read_all(bootstrap, stage.uploads)}
    passed = await read_all(bootstrap, stage.outputs["pass"])
    reviewed = await read_all(bootstrap, stage.outputs["review"])
    delays = []
    for verdict in passed:
        headers = dict(verdict.headers)
        source = int(headers["source_partition"]), int(headers["source_offset"])
        delays.append((verdict.timestamp - uploaded[source]) / 1000)
    return delays, len(reviewed)


async def _upload_steadily(stage: Stage, names: list[str]) -> None:
    began = asyncio.get_running_loop().time()
    async with AIOKafkaProducer(bootstrap_servers=stage.kafka.bootstrap_servers, acks="all") as producer:
        for number, name in enumerate(names):
            await asyncio.sleep(began + number / RATE - asyncio.get_running_loop().time())
            event = event_of(number, name)
            await producer.send(stage.uploads, event.value, key=event.key)


if __name__ == "__main__":
    main()
