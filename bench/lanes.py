"""
Two lanes, nine to one, one of them with an endless backlog: `python -m bench.lanes`.

How long a live upload waits from its publication to its call, with and without the backfill, and how much of the quota
is used, with one replica and with four; and what the backfill makes of it while live is idle. By the provider's log.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from statistics import quantiles
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.account import LATENCY, PARTITIONS, QUOTA, SETTLES, fleet_of
from bench.events import upload_events
from tests.rig.events import upload
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.log import Arrival
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window

WEIGHTS = {"live": 9, "backfill": 1}
LIVE_RATE = QUOTA * 0.9 / 2  # half of its share
LIVE_URL = "https://live.example.com/{}.jpg"


def main() -> None:
    """Parse the command line and print a line for each run."""
    parser = argparse.ArgumentParser(prog="python -m bench.lanes", description="Live beside a backfill")
    parser.add_argument("--replicas", nargs="*", type=int, default=[1, 4], metavar="N")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each run, once it has settled")
    options = parser.parse_args()
    try:
        asyncio.run(measure(options.replicas, options.seconds))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def measure(replicas: Sequence[int], seconds: float) -> None:
    """Run each number of replicas with live alone, with both, and with the backfill alone."""
    async with KafkaCluster.start(brokers=1) as kafka:
        for number in replicas:
            for live, backfill in ((True, False), (True, True), (False, True)):
                stage = Stage(kafka, f"lanes-{number}-{live:d}{backfill:d}")
                lanes = " and ".join(name for name, is_on in (("live", live), ("backfill", backfill)) if is_on)
                print(f"{number} replicas, {lanes}: {await run(stage, number, live, backfill, seconds)}", flush=True)


async def run(stage: Stage, replicas: int, live: bool, backfill: bool, seconds: float) -> str:
    """Return the figures of one run."""
    await stage.set_up(PARTITIONS)
    topics = {"live": stage.uploads, "backfill": f"{stage.name}.backfill"}
    await stage.kafka.create_topic(topics["backfill"], partitions=PARTITIONS)
    servers = stage.kafka.bootstrap_servers
    if backfill:
        backlog = round(QUOTA * (seconds + 2 * SETTLES))
        await publish(servers, topics["backfill"], upload_events(backlog))
    async with QuickProvider.start(latency=LATENCY) as provider:
        async with fleet_of(replicas, _config(stage, provider.endpoint, topics)):
            await asyncio.sleep(SETTLES)
            began = time.time()
            published = await _publish_live(servers, topics["live"], seconds) if live else await _wait(seconds)
            ended = time.time()
            await asyncio.sleep(2.0)  # the last of them are asked about
        arrivals = await provider.arrivals()
    return _figures(arrivals, published, began, ended)


def _config(stage: Stage, endpoint: str, topics: dict[str, str]) -> dict[str, Any]:
    config = stage.config(endpoint, quota={"qps": QUOTA})
    config["kafka"]["topics"] = list(topics.values())
    config["lanes"] = {name: {"topics": [topic], "weight": WEIGHTS[name]} for name, topic in topics.items()}
    return config


async def _publish_live(servers: str, topic: str, seconds: float) -> dict[str, float]:
    """Publish live uploads evenly, and return when each was, by its URL."""
    published: dict[str, float] = {}
    began, sent = time.monotonic(), []
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for number in range(int(LIVE_RATE * seconds)):
            await asyncio.sleep(max(0.0, began + number / LIVE_RATE - time.monotonic()))
            url = LIVE_URL.format(number)
            published[url] = time.time()
            sent.append(await producer.send(topic, upload(f"live-{number}", url), key=f"live-{number}".encode()))
        await asyncio.gather(*sent)
    return published


async def _wait(seconds: float) -> dict[str, float]:
    await asyncio.sleep(seconds)
    return {}


def _figures(arrivals: Sequence[Arrival], published: dict[str, float], began: float, ended: float) -> str:
    counted = [arrival.at for arrival in arrivals if began <= arrival.at < ended]
    use = f"use {len(counted) / (ended - began) / QUOTA:.3f} Q, busiest sliding second {busiest_window(counted)}"
    first = {arrival.image: arrival.at for arrival in reversed(arrivals)}
    waits = [first[url] - at for url, at in published.items() if url in first]
    if len(waits) < 2:
        return use
    p50, p99 = (quantiles(waits, n=100)[partition] for partition in (49, 98))
    unasked = len(published) - len(waits)
    return f"live waits p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, {unasked} not asked about; {use}"


if __name__ == "__main__":
    main()
