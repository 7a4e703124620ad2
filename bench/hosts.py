"""
Whether images whose host hangs delay the others: `python -m bench.hosts`.

A backlog of which a fifth is on a host that never answers: the provider tries for three seconds, and is asked three
times. What counts is the time from the first call to the answer about the last image of another host, by the provider's
own arrival log: without the fifth, with it as another tenant's, and with it as the same tenant's.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.rig.events import upload
from tests.rig.kafka import DownloadFailed, KafkaCluster, NewRecord, StartFailed, ToolMissing, publish
from tests.rig.quick_provider.log import Arrival
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage

QUOTA = 100
LATENCY = 0.3  # seconds
HANGS = 3.0  # seconds that the provider tries to fetch an image
GOOD, BAD = "img.example.com", "hangs.example"
FIFTH = 5
CASES = {"none hang": None, "another tenant's": "other", "the same tenant's": "shop"}
"""Whose the images are that hang."""


def main() -> None:
    """Parse the command line and print a line for each case."""
    parser = argparse.ArgumentParser(prog="python -m bench.hosts", description="Do images that hang delay others?")
    parser.add_argument("--images", type=int, default=1_000, help="in all, a fifth of which hang")
    options = parser.parse_args()
    try:
        asyncio.run(compare(options.images))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def compare(images: int) -> None:
    """Judge the same backlog in each case."""
    print(f"Q = {QUOTA} calls a second; {images} images wait at the start, every fifth on a host that hangs.\n")
    async with KafkaCluster.start(brokers=1) as kafka:
        alone: float | None = None
        for number, (case, tenant) in enumerate(CASES.items()):
            stage = Stage(kafka, f"hosts-{number}")
            await stage.set_up()
            arrivals = await _judged(stage, images, tenant)
            seconds = _seconds(arrivals)
            alone = alone or seconds
            bad = sum(BAD in arrival.image for arrival in arrivals)
            print(
                f"{case:<18} the others took {seconds:5.1f} s, {seconds / alone:4.2f} × alone, beside {bad} calls "
                "about images that hang",
                flush=True,
            )


async def _judged(stage: Stage, images: int, tenant: str | None) -> Sequence[Arrival]:
    """Return the calls that were made until every image of the good host had its verdict."""
    uploads = [_event(number, tenant if number % FIFTH == 0 else "shop") for number in range(images)]
    wanted = [each for number, each in enumerate(uploads) if tenant is not None or number % FIFTH]
    await publish(stage.kafka.bootstrap_servers, stage.uploads, wanted)
    good = images - len(range(0, images, FIFTH))
    async with QuickProvider.start(latency=LATENCY, codes={BAD: 405}, latencies={BAD: HANGS}) as provider:
        config = stage.config(provider.endpoint, quota={"qps": QUOTA})
        with tempfile.TemporaryDirectory() as folder:
            async with Replica.started(Path(folder), config):
                async with asyncio.timeout(300):
                    while len((await stage.outcomes())["pass"]) < good:
                        await asyncio.sleep(1.0)
        return await provider.arrivals()


def _event(number: int, tenant: str | None) -> NewRecord:
    host = GOOD if number % FIFTH else BAD
    value = upload(f"event-{number}", f"https://{host}/{number}.jpg", tenant=tenant or "shop")
    return NewRecord(value, key=f"{tenant}|{number}".encode())


def _seconds(arrivals: Sequence[Arrival]) -> float:
    """From the first call to the answer about the last good image."""
    good = [arrival.at for arrival in arrivals if GOOD in arrival.image]
    return max(good) + LATENCY - min(arrival.at for arrival in arrivals)


if __name__ == "__main__":
    main()
