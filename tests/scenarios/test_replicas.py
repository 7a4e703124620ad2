from pathlib import Path

from bench.provider.process import QuickProvider
from tests.replica import Replica
from tests.scenarios.stage import PARTITIONS, Stage


async def test_a_replica_without_partitions_takes_over_when_some_are_freed(stage: Stage, tmp_path: Path) -> None:
    """
    With more replicas than partitions one is idle, and ready; when another is killed it gets that one's partition.
    """
    events = 60
    async with QuickProvider.start(latency=0.1) as provider:
        config = stage.config(provider.endpoint, quota={"qps": 50})
        replicas = [Replica.started(tmp_path, config, name=f"replica-{n}") for n in range(PARTITIONS)]
        async with replicas[0] as first, replicas[1] as second, replicas[2] as third, replicas[3] as fourth:
            for replica in (first, second, third, fourth):
                await replica.until_metric("moderation_partitions", at_least=1)
            async with Replica.started(tmp_path, config, name="spare") as spare:
                await spare.ready()
                held = [await replica.metric("moderation_partitions") for replica in (first, second, third, fourth)]
                spared = await spare.metric("moderation_partitions")
                idle = spare if not spared else (first, second, third, fourth)[held.index(0)]
                (fourth if idle is first else first).kill()
                await idle.until_metric("moderation_partitions", at_least=1)
                await stage.upload(events)
                ids = await stage.until(lambda ids: len(ids) >= events)

    assert sorted([*held, spared]) == [0, 1, 1, 1, 1]
    assert len(ids) == len(set(ids)) == events


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
