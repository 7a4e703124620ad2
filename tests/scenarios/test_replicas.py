import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.rig.kafka.waiting import until
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import PARTITIONS, Stage


@pytest.mark.scenario
async def test_a_replica_without_partitions_takes_over_when_some_are_freed(stage: Stage, tmp_path: Path) -> None:
    """
    With more replicas than partitions one is idle, and ready; when another is killed it gets that one's partition.
    """
    events = 60
    async with QuickProvider.start(latency=0.1) as provider, AsyncExitStack() as stack:
        config = stage.config(provider.endpoint, quota={"qps": 50})
        replicas = [
            await stack.enter_async_context(Replica.started(tmp_path, config, name=f"replica-{n}"))
            for n in range(PARTITIONS + 1)
        ]

        async def partitions() -> list[float]:
            return [await replica.metric("moderation_partitions") for replica in replicas]

        async def all_but_one_have_one() -> bool:
            return sorted(await partitions()) == [0, *[1] * PARTITIONS]

        await asyncio.gather(*(replica.ready() for replica in replicas))
        await until(all_but_one_have_one)
        idle = replicas[(await partitions()).index(0)]
        readiness = await idle.readiness()
        next(replica for replica in replicas if replica is not idle).kill()
        await idle.until_metric("moderation_partitions", at_least=1)
        await stage.upload(events)
        ids = await stage.until(lambda ids: len(ids) >= events)

    assert readiness == (200, "ok\n")
    assert len(ids) == len(set(ids)) == events


@pytest.mark.scenario
async def test_more_bad_images_than_call_slots_hold_nobody_up(stage: Stage, tmp_path: Path) -> None:
    """
    Images that always fail, more of them than calls may be in flight, go to review; the others are judged meanwhile.
    """
    slots, bad, good = 4, 12, 200
    await stage.upload(bad, url="https://img.example.com/bad-{n}.jpg")
    await stage.upload(good, first=bad)
    async with QuickProvider.start(latency=0.05, codes={"bad-": 500}) as provider:
        config = stage.config(
            provider.endpoint,
            quota={"qps": 100},
            provider={"max_in_flight": slots},
            retries={"attempts": 2, "max_delay": 1.0},
        )

        async with Replica.started(tmp_path, config):
            await stage.until(lambda ids: len(ids) >= bad + good)
            outcomes = await stage.outcomes()

    assert len(outcomes["pass"]) == good
    assert sorted(verdict["image"]["url"].split("/")[-1][:4] for verdict in outcomes["review"]) == ["bad-"] * bad
    assert {verdict["error"]["class"] for verdict in outcomes["review"]} == {"provider"}
