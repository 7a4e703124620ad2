"""Provisional verdicts at a deadline, beside a provider that does not answer."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from consumer.emulator import Emulator, Fault
from tests.rig.emulated import KEY, emulated, event_of
from tests.rig.kafka import KafkaCluster, publish, read_all
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.scenarios.test_forgery import identity

NAMES = ("slow", "b1", "b2", "slow-too", "late")
"""Of the images, in the order of their offsets. Nothing is committed while the first has no verdict."""
KEYS = (b"a", b"b", b"b", b"a", b"c")


async def upload(stage: Stage, offsets: Sequence[int]) -> None:
    events = [replace(event_of(each, NAMES[each]), key=KEYS[each]) for each in offsets]
    await publish(stage.kafka.bootstrap_servers, stage.uploads, events)


async def verdicts(stage: Stage, topic: str, holds: Callable[[int], bool]) -> list[dict[str, Any]]:
    """The values of the verdicts in a topic, once there are as many as that."""
    records: Sequence[ConsumerRecord[Any, Any]] = ()
    async with asyncio.timeout(30):
        while not holds(len(records)):
            await asyncio.sleep(0.1)
            records = await read_all(stage.kafka.bootstrap_servers, stage.outputs[topic])
    return [orjson.loads(record.value) for record in records]


def offsets_of(found: Sequence[dict[str, Any]]) -> list[int]:
    return [verdict["event"]["offset"] for verdict in found]


def silence(emulator: Emulator, *objects: str) -> None:
    """Have it never answer about these from now on."""
    emulator.faults.replace(
        [Fault.model_validate({"match": {"object": each}, "what": {"never_answer": True}}) for each in objects]
    )


@pytest.mark.scenario
async def test_a_provisional_verdict_comes_once_and_the_verdict_once_behind_it_through_two_kills(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    One replica is killed between the provisional verdicts and the verdicts, the next between the verdicts and their
    commit. Each image has one provisional verdict and then one verdict, is billed once, and keys keep their order.
    """
    stage = Stage(kafka, topic)
    await stage.set_up(partitions=1)
    await upload(stage, range(4))
    async with emulated(NAMES) as emulator:
        silence(emulator, "*")
        config = stage.config(
            emulator.url, identity=identity(tmp_path), deadline={"default": "1s"},
            provider={"read_timeout": 2.0}, retries={"max_delay": 0.5},
        )  # fmt: skip
        async with Replica.started(tmp_path, config, name="first", environment=KEY) as first:
            first_told = await verdicts(stage, "review", lambda count: count >= 4)
            first.kill()

        await upload(stage, [4])
        async with Replica.started(tmp_path, config, name="second", environment=KEY) as second:
            await verdicts(stage, "review", lambda count: count >= 5)  # its deadlines have passed: so have the others'
            silence(emulator, "slow*")
            await verdicts(stage, "pass", lambda count: count >= 3)
            second.kill()

        emulator.faults.replace([])
        async with Replica.started(tmp_path, config, name="third", environment=KEY) as third:
            final = await verdicts(stage, "pass", lambda count: count >= 5)
            await third.until_metric("moderation_verdicts_total", at_least=2)
            repeated = await third.metric("moderation_provisional_verdicts_total")
            third.terminate()
            assert await third.ended() == 0
    told = await verdicts(stage, "review", lambda count: count >= 5)

    assert sorted(offsets_of(first_told)) == [0, 1, 2, 3]
    assert Counter(offsets_of(told)) == Counter(range(5))
    assert all(each["provisional"] and each["sequence"] == 0 for each in told)
    assert repeated == 0
    assert Counter(offsets_of(final)) == Counter(range(5))
    assert not any(each["provisional"] or each["sequence"] != 1 for each in final)
    in_order = offsets_of(final)
    assert in_order.index(1) < in_order.index(2)
    assert in_order.index(0) < in_order.index(3)
    assert {each["verdict_id"] for each in told}.isdisjoint(each["verdict_id"] for each in final)
    assert Counter(call.image for call in emulator.calls if call.billed) == Counter(f"ugc/{name}" for name in NAMES)


@pytest.mark.scenario
async def test_an_outage_floods_nobody(stage: Stage, tmp_path: Path) -> None:
    """
    With 1,000 uploads waiting and no answer to any, no more is said than `per_minute` allows, and the rest is counted.
    """
    events, most = 1_000, 40
    await stage.upload(events)
    async with emulated([]) as emulator:
        await emulator.stop_listening()
        config = stage.config(emulator.url, deadline={"default": 1, "per_minute": most})
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await replica.until_metric("moderation_provisional_verdicts_total", at_least=events)
            await asyncio.sleep(2.0)  # two more looks
            published = await replica.metric("moderation_provisional_verdicts_total", outcome="published")
            held_back = await replica.metric("moderation_provisional_verdicts_total", outcome="held_back")
    told = await verdicts(stage, "review", lambda count: count >= most)

    assert len(told) == published == most
    assert held_back == events - most
    assert len({each["verdict_id"] for each in told}) == most
