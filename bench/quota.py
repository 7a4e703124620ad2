"""
How much of the quota the service uses, and whether it ever exceeds it: `python -m bench.quota 100 400`.

The provider's own arrival log is what counts: another process, which stamps a call as its first bytes come in. A stamp
is late by as much as that process was kept from running; the worst of it is printed beside the figures.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.events import upload_events
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window, mean_rate, windows_over

LITTLE = 1.5  # Little's law with half as much again: calls in flight = 1.5 × quota × latency


def main() -> None:
    """Parse the command line and print a line for each quota."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.quota", description="Use of the quota, by the provider's log"
    )
    parser.add_argument("quotas", nargs="*", type=int, default=[100, 400], metavar="Q", help="calls a second")
    parser.add_argument("--events", type=int, default=3_000, help="uploads waiting at the start")
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that the provider takes")
    options = parser.parse_args()
    try:
        asyncio.run(measure(options.quotas, options.events, options.latency))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def measure(quotas: list[int], events: int, latency: float) -> None:
    """Run the service once for each quota, on the same Kafka."""
    async with KafkaCluster.start(brokers=1) as kafka:
        for quota in quotas:
            stage = Stage(kafka, f"quota-{quota}")
            await stage.set_up()
            await publish(kafka.bootstrap_servers, stage.uploads, upload_events(events))
            print(await _use_of(stage, quota, events, latency), flush=True)


async def _use_of(stage: Stage, quota: int, events: int, latency: float) -> str:
    config = stage.config("", quota={"qps": quota})
    config["provider"] = {"max_in_flight": max(64, round(LITTLE * quota * latency))}
    with tempfile.TemporaryDirectory() as folder:
        async with QuickProvider.start(latency=latency) as provider:
            config["provider"]["endpoint"] = provider.endpoint
            async with Replica.started(Path(folder), config) as replica:
                await replica.ready()
                await replica.until_metric(
                    "moderation_calls_billed_total", at_least=events, timeout=60 + 2 * events / quota
                )
            arrivals = [arrival.at for arrival in await provider.arrivals()]
            lag = (await provider.stats())["worst_lag"]
    mean = mean_rate(arrivals)
    return (
        f"Q = {quota}: {len(arrivals)} calls, mean {mean:.1f}/s = {mean / quota:.3f} Q, busiest sliding second "
        f"{busiest_window(arrivals)}, seconds over Q {windows_over(arrivals, quota)}; stamps are late by at most "
        f"{lag * 1000:.0f} ms, over Q in a second less that: {windows_over(arrivals, quota, 1.0 - lag)}"
    )


if __name__ == "__main__":
    main()
