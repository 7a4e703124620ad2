"""
How much of the quota is left at a slow way to Kafka: `python -m bench.latency`.

All that the service says to Kafka goes through a link that takes half a round trip in either direction; the provider
takes 0.3 s. The provider's own arrival log is what counts.
"""

import argparse
import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.events import upload_events
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, publish
from tests.rig.link import HOST, Link
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import mean_rate, windows_over

ROUND_TRIPS = (0, 100, 200, 400, 600)  # milliseconds
LITTLE = 1.5  # Little's law with half as much again: calls in flight = 1.5 × quota × latency


@dataclass(frozen=True, slots=True)
class Use:
    """What one run came to."""

    round_trip: int  # milliseconds
    quota: int
    calls: int
    rate: float
    """Calls a second, from the first to the last."""
    over: int
    """Sliding seconds with more calls than the quota."""
    withheld_by_publishing: float
    """Seconds in which calls waited for acknowledgements."""

    @property
    def share(self) -> float:
        """The part of the quota that was used."""
        return self.rate / self.quota

    def __str__(self) -> str:
        return (
            f"{self.round_trip:>7} ms  {self.calls:>5}  {self.rate:>7.1f}  {self.share:>10.3f}  {self.over:>12}  "
            f"{self.withheld_by_publishing:>9.1f} s"
        )


HEADINGS = "round trip  calls  calls/s  of quota Q  seconds over Q  withheld by publishing"


def main() -> None:
    """Parse the command line and print a line for each round trip."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.latency", description="Use of the quota at slow ways to Kafka, by the provider's log"
    )
    parser.add_argument("round_trips", nargs="*", type=int, default=list(ROUND_TRIPS), metavar="MS")
    parser.add_argument("--quota", type=int, default=100, help="calls a second")
    parser.add_argument("--events", type=int, default=3_000, help="uploads waiting at the start")
    parser.add_argument("--latency", type=float, default=0.3, help="seconds that the provider takes")
    options = parser.parse_args()
    try:
        asyncio.run(_print(options.round_trips, options.quota, options.events, options.latency))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def measure(round_trips: Sequence[int], quota: int, events: int, latency: float) -> list[Use]:
    """Run the service once for each round trip (in milliseconds), on the same Kafka."""
    return [use async for use in _measured(round_trips, quota, events, latency)]


async def _print(round_trips: Sequence[int], quota: int, events: int, latency: float) -> None:
    print(f"Q = {quota} calls a second; the provider takes {latency} s; {events} uploads wait at the start.\n")
    print(HEADINGS, flush=True)
    async for use in _measured(round_trips, quota, events, latency):
        print(use, flush=True)


async def _measured(round_trips: Sequence[int], quota: int, events: int, latency: float) -> AsyncIterator[Use]:
    async with Link.opened() as link:
        port = _free_port()
        advertised = f"PLAINTEXT://{HOST}:{port},SLOW://{HOST}:{link.port}"
        async with KafkaCluster.start(
            1, port=port, listeners={"SLOW": "PLAINTEXT"}, properties={"advertised.listeners": advertised}
        ) as kafka:
            link.target = kafka.bootstrap_servers_of("SLOW")
            for round_trip in round_trips:
                stage = Stage(kafka, f"latency-{round_trip}")
                await stage.set_up()
                await publish(kafka.bootstrap_servers, stage.uploads, upload_events(events))
                link.round_trip = round_trip / 1000
                yield await _use_of(stage, link, quota, events, latency)


async def _use_of(stage: Stage, link: Link, quota: int, events: int, latency: float) -> Use:
    config = stage.config(
        "",
        kafka={"bootstrap_servers": f"{HOST}:{link.port}", "session_timeout": 30.0, "heartbeat_interval": 3.0},
        provider={"max_in_flight": max(64, round(LITTLE * quota * latency))},
        quota={"qps": quota},
    )
    with tempfile.TemporaryDirectory() as folder:
        async with QuickProvider.start(latency=latency) as provider:
            config["provider"]["endpoint"] = provider.endpoint
            async with Replica.started(Path(folder), config) as replica:
                await replica.ready(timeout=60)
                await replica.until_metric(
                    "moderation_calls_billed_total", at_least=events, timeout=60 + 4 * events / quota
                )
                withheld = await replica.metric("moderation_quota_withheld_seconds_total", by="publishing")
            arrivals = [arrival.at for arrival in await provider.arrivals()]
    return Use(
        round_trip=round(link.round_trip * 1000),
        quota=quota,
        calls=len(arrivals),
        rate=mean_rate(arrivals),
        over=windows_over(arrivals, quota),
        withheld_by_publishing=withheld,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
