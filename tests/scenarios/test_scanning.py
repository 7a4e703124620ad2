"""`scan` beside a running service: they share the account's quota."""

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.commands.cli import command
from tests.rig.emulated import KEY
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.rig.windows import busiest_window

QUOTA, RESERVE = 40, 10


@pytest.mark.scenario
async def test_a_scan_beside_a_service_stays_within_the_quota_with_it(stage: Stage, tmp_path: Path) -> None:
    """
    Without a word about its pace it takes what the service leaves to others, and no second at the provider has more
    calls than the account may make. Both have their images judged.

    Stamps are late by the provider's lag at the most: see `test_quota.py`.
    """
    events, images = 150, 80
    async with QuickProvider.start(latency=0.1) as provider:
        config = stage.config(provider.endpoint, quota={"qps": QUOTA, "reserve": RESERVE})
        urls = "\n".join(f"https://images.example/scanned-{number}.png" for number in range(images)).encode()
        async with Replica.started(tmp_path, config) as replica:
            await replica.ready()
            scan = asyncio.create_task(
                command("scan", "-", "--config", str(tmp_path / "replica.yaml"), environment=KEY, given=urls)
            )
            async with asyncio.timeout(30):
                while not (await provider.stats())["arrivals"]:
                    await asyncio.sleep(0.05)
            await stage.upload(events)
            await stage.until(lambda ids: len(ids) >= events)
            ended = await scan
        arrivals = await provider.arrivals()
        lag = (await provider.stats())["worst_lag"]

    assert ended.status == 0, ended.errors
    decisions = [orjson.loads(line)["decision"] for line in ended.output.splitlines()]
    assert decisions == ["pass"] * images
    assert "more than quota.reserve" not in ended.errors
    scanned = [each.at for each in arrivals if "scanned-" in each.image]
    others = [each.at for each in arrivals if "scanned-" not in each.image]
    beside = [at for at in others if min(scanned) <= at <= max(scanned)]
    assert len(beside) > RESERVE * 2
    assert busiest_window(scanned, 1.0 - lag) <= RESERVE
    assert busiest_window([each.at for each in arrivals], 1.0 - lag) <= QUOTA
