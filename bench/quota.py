"""
How much of the quota the service uses, and whether it ever exceeds it: `python -m bench.quota 100 400`.

With `--api scan-1.0` the quota is images a second of the 1.0 API, and each task of a call is an arrival.

The provider's own arrival log is what counts: another process, which stamps a call as its first bytes come in. A stamp
is late by as much as that process was kept from running; the worst of it is printed beside the figures. Exits with 1
where less than 0.95 of a quota was used, or more than it in a second less that lateness.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.events import upload_events
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window, mean_rate, windows_over

APIS = ("image-moderation-2.0", "scan-1.0")
LEAST_USE = 0.95  # of the quota
LITTLE = 1.5  # Little's law with half as much again: calls in flight = 1.5 × quota × latency


class Load(NamedTuple):
    """What the service has to do."""

    events: int  # waiting at the start, one image each
    latency: float  # seconds that the provider takes
    api: str


@dataclass(frozen=True, slots=True)
class Use:
    """What came of one quota."""

    api: str
    quota: int  # images a second: a call of the 2.0 API is one
    arrivals: Sequence[float]  # seconds
    lag: float  # seconds by which a stamp may be late

    @property
    def share(self) -> float:
        """How much of the quota was used."""
        return mean_rate(self.arrivals) / self.quota

    @property
    def over(self) -> int:
        """Seconds, less the lateness of stamps, with more than the quota."""
        return windows_over(self.arrivals, self.quota, 1.0 - self.lag)

    @property
    def is_good(self) -> bool:
        """Whether it was used, and not exceeded."""
        return self.share >= LEAST_USE and not self.over

    def __str__(self) -> str:
        return (
            f"{self.api}, Q = {self.quota}: {len(self.arrivals)} images, mean {mean_rate(self.arrivals):.1f}/s = "
            f"{self.share:.3f} Q, busiest sliding second {busiest_window(self.arrivals)}, seconds over Q "
            f"{windows_over(self.arrivals, self.quota)}; stamps are late by at most {self.lag * 1000:.0f} ms, over Q "
            f"in a second less that: {self.over}"
        )


def main() -> None:
    """Parse the command line and print a line for each quota."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.quota", description="Use of the quota, by the provider's log"
    )
    parser.add_argument("quotas", nargs="*", type=int, default=[100, 400], metavar="Q", help="calls a second")
    parser.add_argument("--events", type=int, default=3_000, help="uploads waiting at the start")
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that the provider takes")
    parser.add_argument("--api", choices=APIS, default=APIS[0], help="which of the provider's APIs is asked")
    options = parser.parse_args()
    load = Load(options.events, options.latency, options.api)
    try:
        is_good = asyncio.run(measure(options.quotas, load))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    sys.exit(0 if is_good else 1)


async def measure(quotas: list[int], load: Load) -> bool:
    """Run the service once for each quota, on the same Kafka; whether each was used and none exceeded."""
    uses = []
    async with KafkaCluster.start(brokers=1) as kafka:
        for quota in quotas:
            stage = Stage(kafka, f"quota-{quota}")
            await stage.set_up()
            await publish(kafka.bootstrap_servers, stage.uploads, upload_events(load.events))
            uses.append(await _use_of(stage, quota, load))
            print(uses[-1], flush=True)
    return all(use.is_good for use in uses)


async def _use_of(stage: Stage, quota: int, load: Load) -> Use:
    config = stage.config("", quota={"qps": quota}, **({} if load.api == APIS[0] else {"oss": {"buckets": []}}))
    config["provider"] = {"api": load.api, "max_in_flight": max(64, round(LITTLE * quota * load.latency))}
    with tempfile.TemporaryDirectory() as folder:
        async with QuickProvider.start(latency=load.latency) as provider:
            config["provider"]["endpoint"] = provider.endpoint
            async with Replica.started(Path(folder), config) as replica:
                await replica.ready()
                async with asyncio.timeout(60 + 2 * load.events / quota):
                    while (await provider.stats())["arrivals"] < load.events:
                        await asyncio.sleep(0.2)
            arrivals = [arrival.at for arrival in await provider.arrivals()]
            lag = (await provider.stats())["worst_lag"]
    return Use(load.api, quota, arrivals, lag)


if __name__ == "__main__":
    main()
