"""Who joins the group and is not the service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage

KEY = b"k" * 32


def identity(folder: Path) -> dict[str, Any]:
    """The section of a service that signs with its one key."""
    (folder / "key").write_bytes(KEY)
    return {"sign": "k1", "keys": {"k1": str(folder / "key")}}


@asynccontextmanager
async def stranger(stage: Stage) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer with the service's group id, such as a console consumer that somebody started to have a look."""
    consumer = AIOKafkaConsumer(
        stage.uploads,
        bootstrap_servers=stage.kafka.bootstrap_servers,
        group_id=stage.name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=300,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def take(consumer: AIOKafkaConsumer, at_least: int) -> int:
    """Read and commit so many uploads, and say how many these were."""
    taken = 0
    async with asyncio.timeout(60):
        while taken < at_least:
            records = await consumer.getmany(timeout_ms=200)
            taken += sum(map(len, records.values()))
    await consumer.commit()
    return taken


@pytest.mark.scenario
async def test_what_a_stranger_has_committed_is_judged_all_the_same(stage: Stage, tmp_path: Path) -> None:
    """
    All of it, where a stranger took all uploads while no replica ran; and nothing that was judged before it came is
    paid for or published again.
    """
    await stage.upload(40)
    async with QuickProvider.start(latency=0.02) as provider:
        config = stage.config(provider.endpoint, identity=identity(tmp_path))
        async with Replica.started(tmp_path, config, name="before") as before:
            await before.until_metric("moderation_verdicts_total", at_least=40)
            before.terminate()
            assert await before.ended() == 0
        await stage.upload(40, first=40)
        async with stranger(stage) as consumer:
            taken = await take(consumer, 40)
        async with Replica.started(tmp_path, config, name="after") as after:
            ids = await stage.until(lambda ids: len(set(ids)) >= 80)
            rejudged = await after.metric("moderation_foreign_commits_total", action="rejudged")
            await after.ready()
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert taken == 40
    assert len(ids) == len(set(ids)) == 80
    assert len(asked) == len(set(asked)) == 80
    assert rejudged >= 1
    assert "commit.foreign" in after.log.read_text()


@pytest.mark.scenario
async def test_a_stranger_that_joins_and_leaves_keeps_no_image_from_being_judged(stage: Stage, tmp_path: Path) -> None:
    """
    It is given partitions like any member; what it has taken of them is judged once they are a replica's again.
    """
    await stage.upload(40)
    async with QuickProvider.start(latency=0.02) as provider:
        config = stage.config(provider.endpoint, identity=identity(tmp_path))
        async with Replica.started(tmp_path, config) as replica:
            await replica.until_metric("moderation_verdicts_total", at_least=40)
            async with stranger(stage) as consumer:
                await stage.upload(40, first=40)
                taken = await take(consumer, 10)
            ids = await stage.until(lambda ids: len(set(ids)) >= 80)
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert taken >= 10
    assert len(ids) == len(set(ids)) == 80
    assert len(asked) == len(set(asked)) == 80
