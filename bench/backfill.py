"""
A backfill that is killed again and again loses nothing and sends nothing twice: `python -m bench.backfill`.

A manifest is sent into a topic of a real Kafka. The command is killed (SIGKILL) in the middle, run again, killed again,
and at last runs to its end. Then the topic is compared with the manifest, and one more run must send nothing. Ends with
status 1 where a line is missing or there twice.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import uvloop
import yaml
from aiokafka import AIOKafkaConsumer

from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, read_all
from tests.rig.replica import ROOT, surroundings

TOPIC = "bench.backfill"
PARTITIONS = 4


class Run(NamedTuple):
    """What one run of the command came to."""

    told: dict[str, Any]  # empty where it was killed
    seconds: float
    cpu: float
    peak: float  # MiB
    in_topic: int  # records, afterwards


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.backfill", description="a backfill that is killed")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1_000.0, help="events a second of runs that are killed")
    options = parser.parse_args()
    try:
        sys.exit(uvloop.run(bench(options.lines, options.kills, options.rate)))
    except (DownloadFailed, StartFailed, ToolMissing) as error:
        sys.exit(str(error))


async def bench(lines: int, kills: int, rate: float) -> int:
    """Run all of it, print a table, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        async with KafkaCluster.start(brokers=1) as kafka:
            await kafka.create_topic(TOPIC, partitions=PARTITIONS, replication=1)
            command = written(Path(folder), kafka.bootstrap_servers, lines)
            killed = [
                await run(kafka, command, rate, after=lines * (number + 1) // (kills + 1)) for number in range(kills)
            ]
            last, again = [await run(kafka, command, 100_000.0) for _ in range(2)]
            found = Counter([url_of(each) for each in await read_all(kafka.bootstrap_servers, TOPIC)])
    print(f"{lines:,} lines, {kills} kills (SIGKILL)\n")
    print("| run | known before | sent | in the topic | seconds | CPU of a line | peak of memory |")
    print("|---|---|---|---|---|---|---|")
    names = ["killed"] * kills + ["to its end", "again"]
    for name, each in zip(names, [*killed, last, again], strict=True):
        before, sent = each.told.get("sent_before", "–"), each.told.get("sent", "–")
        print(
            f"| {name} | {before} | {sent} | {each.in_topic:,} | {each.seconds:.1f} "
            f"| {each.cpu / lines * 1e6:.0f} µs | {each.peak:,.0f} MiB |"
        )
    lost = sum(url(number) not in found for number in range(lines))
    twice = sum(count > 1 for count in found.values())
    print(f"\nlost {lost}, twice {twice}, sent by the repetition {again.told['sent']}")
    return int(bool(lost or twice or again.told["sent"] or len(found) != lines))


def url(number: int) -> str:
    return f"https://images.example/{number}.jpg"


def url_of(record: Any) -> str:
    found: str = orjson.loads(record.value)["images"][0]["url"]
    return found


def written(folder: Path, servers: str, lines: int) -> list[str]:
    """Write configuration and manifest, and return the command."""
    config, manifest = folder / "consumer.yaml", folder / "list.csv"
    (folder / "policy.yaml").write_text("policy: p\nversion: 1\n")
    config.write_text(yaml.safe_dump({"kafka": {"bootstrap_servers": servers, "topics": [TOPIC]}}))
    rows = "".join(f"{url(number)},shop-eu,u_{number}\n" for number in range(lines))
    manifest.write_text(f"image,tenant,subject\n{rows}")
    arguments = ["backfill", "--config", str(config), "--manifest", str(manifest), "--yes", "--json"]
    return [sys.executable, "-m", "consumer", *arguments]


async def end(kafka: KafkaCluster) -> int:
    """How many records the topic has."""
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=kafka.bootstrap_servers) as consumer:
        return sum((await consumer.end_offsets(sorted(consumer.assignment()))).values())


async def run(kafka: KafkaCluster, command: list[str], rate: float, after: int | None = None) -> Run:
    """Run the command, and kill it once the topic has so many records."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, "--rate", str(rate)], cwd=ROOT, env=surroundings(), stdout=output, stderr=subprocess.DEVNULL
        )
        while after is not None and await end(kafka) < after:
            await asyncio.sleep(0.05)
        if after is not None:
            process.kill()
        _, status, used = await asyncio.to_thread(os.wait4, process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, -9):
            raise SystemExit(f"the command ended with {process.returncode}")
        output.seek(0)
        told = orjson.loads(output.read() or b"{}")
    cpu = used.ru_utime + used.ru_stime
    return Run(told, time.monotonic() - began, cpu, used.ru_maxrss / 1024, await end(kafka))


if __name__ == "__main__":
    main()
