"""An outcome that its topic does not take holds its own partition, and nothing else."""

import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.rig.kafka.admin import admin_client
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import PARTITIONS, Stage

pytestmark = pytest.mark.scenario

EVENTS = 400
QPS = 100


async def configure(stage: Stage, topic: str, **configs: str) -> None:
    """Change a topic's settings; those that are not named are as the broker has them."""
    changed = {name.replace("_", "."): value for name, value in configs.items()}
    async with admin_client(stage.kafka.bootstrap_servers) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])


async def upload_unreadable(stage: Stage, partition: int) -> None:
    """Publish a message without a key that is no event: its dead letter has no key either."""
    async with AIOKafkaProducer(bootstrap_servers=stage.kafka.bootstrap_servers) as producer:
        await producer.send_and_wait(stage.uploads, b"no event", partition=partition)


async def test_a_refused_outcome_holds_its_partition_and_nothing_else(stage: Stage, tmp_path: Path) -> None:
    """
    A compacted topic refuses a dead letter without a key. The replica stays ready and names it; all else is judged at
    full rate, through a rebalance too; a stop ends at once, with 0; once the topic is mended it is published, nothing
    twice.
    """
    dead = stage.outputs["dead_letter"]
    await configure(stage, dead, cleanup_policy="compact")
    await upload_unreadable(stage, 0)
    async with QuickProvider.start(latency=0.1) as provider:
        config = stage.config(provider.endpoint, quota={"qps": QPS})
        async with Replica.started(tmp_path, config, name="first") as first:
            await first.until(lambda status, text: status == 200 and f"{dead} refuses the outcome" in text)
            _, said = await first.readiness()
            await stage.upload(EVENTS)
            began = time.monotonic()
            async with Replica.started(tmp_path, config, name="second") as second:
                await second.ready()
                joined_after = time.monotonic() - began
                await stage.until(lambda ids: len(ids) >= EVENTS)
                second.terminate()
                assert await second.ended() == 0
            judged_after = time.monotonic() - began
            began = time.monotonic()
            first.terminate()
            status = await first.ended()
            stopped_after = time.monotonic() - began
        published = await stage.outcomes()
        async with Replica.started(tmp_path, config, name="third") as third:
            await third.until(lambda status, text: status == 200 and f"{dead} refuses the outcome" in text)
            await configure(stage, dead, cleanup_policy="delete")
            await third.until(lambda status, text: status == 200 and "degraded" not in text)
            third.terminate()
            assert await third.ended() == 0
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    print(f"joined after {joined_after:.1f} s, judged after {judged_after:.1f} s, stopped after {stopped_after:.1f} s")
    assert f"degraded: kafka: {dead} refuses the outcome of {stage.uploads}/0 at offset 0" in said
    assert "INVALID_RECORD: set its cleanup.policy to delete, never compact" in said
    assert published["dead_letter"] == []
    assert status == 0
    assert stopped_after < 8.0
    assert joined_after < 12.0
    outcomes = await stage.outcomes()
    assert [letter["value"] for letter in outcomes["dead_letter"]] == [b"no event"]
    ids = await stage.verdict_ids()
    assert len(ids) == len(set(ids)) == EVENTS
    assert len(asked) == len(set(asked)) == EVENTS


async def test_many_refused_outcomes_stop_the_paying(stage: Stage, tmp_path: Path) -> None:
    """
    A topic that takes no verdict at all: nothing more is paid for once a hundred are refused, readiness says so, a stop
    ends with 0, and once the topic is mended every event has one verdict.
    """
    for decision in ("pass", "review", "block"):
        await configure(stage, stage.outputs[decision], max_message_bytes="200")
    await stage.upload(EVENTS)
    async with QuickProvider.start(latency=0.1) as provider:
        # A hundred are refused, and so many are on their way to Kafka or the provider, however slow the machine is.
        waiting, in_flight = 64, 16
        config = stage.config(
            provider.endpoint,
            quota={"qps": QPS},
            kafka={"max_unacknowledged": waiting},
            provider={"endpoint": provider.endpoint, "max_in_flight": in_flight},
        )
        async with Replica.started(tmp_path, config, name="first") as first:
            await first.until(lambda status, text: status == 503 and "no new calls are made" in text)
            _, said = await first.readiness()
            first.terminate()
            status = await first.ended()
        paid = len(await provider.arrivals())
        for decision in ("pass", "review", "block"):
            await configure(stage, stage.outputs[decision], max_message_bytes="1048588")
        async with Replica.started(tmp_path, config, name="second") as second:
            ids = await stage.until(lambda ids: len(ids) >= EVENTS)
            await second.ready()

    assert "outcomes are refused by" in said
    assert "MESSAGE_TOO_LARGE" in said
    assert status == 0
    assert paid <= 100 + waiting + in_flight
    assert PARTITIONS == 4
    assert len(ids) == len(set(ids)) == EVENTS
