"""
Somebody writes forged outcomes into the outputs and joins the group throughout: after it left, what is not judged, and
what is paid or published twice?

It forges outcomes of twelve kinds about every upload as soon as it is there, and about some that are not there yet; and
it joins the group again and again, reads what it is given, commits the ends of all partitions, and leaves.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from bench.chaos.report import at_least
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost_or_repeated
from bench.chaos.stage import QUOTA, SETTINGS, Stage
from bench.chaos.work import uploads
from consumer.journal.signatures import Keyring
from consumer.kafka import internals
from consumer.records import Delivery
from tests.rig.forgery import Forger

REPLICAS = 2
KEY = b"k" * 32
KEYRING = Keyring({"k1": KEY}, "k1")
AHEAD = 50  # offsets: of messages that are not there yet
_RATE = QUOTA * 0.25
_VISIT = 2.0  # seconds in the group, and as long away from it
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 90.0


async def liar(setting: Setting) -> Findings:
    """Feed two replicas, with the liar beside them from a moment on at which each partition has outcomes."""
    images = 6_000 if setting.full else 2_000
    with TemporaryDirectory(prefix="chaos-key-") as folder:
        key = Path(folder, "k1")
        key.write_bytes(KEY)
        identity = {"sign": "k1", "keys": {"k1": str(key)}}
        script = setting.script(changes={"identity": identity, **(setting.changes or {})})
        async with Stage.opened(setting.kafka, f"liar-{setting.seed}", setting.seed, script) as stage:
            await stage.crew.join(REPLICAS)
            await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
            records = uploads(stage.name, images, setting.seed)
            async with stage.feeding(records, _RATE):
                await stage.watch.until_outcomes(QUOTA, _START_TIMEOUT)
                async with _lying(stage, random.Random(f"liar {setting.seed}")) as told:
                    await _until_fed(stage, images)
            await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
            judged = await _until_judged(stage, images)
            finished = await stage.finished(_FINISH_TIMEOUT) and judged
            not_believed = await stage.crew.metric("moderation_outcomes_not_believed_total")
            foreign = await stage.crew.metric("moderation_foreign_commits_total")
            await stage.crew.leave(*stage.crew.members)
            evidence = await stage.evidence(KEYRING)
    checks = [
        *nothing_lost_or_repeated(evidence, finished),
        *exits(stage),
        at_least("forged outcomes", told["forged"], images / 2),
        at_least("times that it joined the group", told["visits"], 2),
        at_least("times that it committed", told["commits"], 2),
        at_least("partitions taken over with its commit", foreign, 1),
        at_least("forged outcomes that were met", not_believed, 1),
    ]
    return Findings(checks, {"images": images, **told})


async def _until_fed(stage: Stage, images: int) -> None:
    """Return once all uploads stand in their topic."""
    async with AIOKafkaConsumer(bootstrap_servers=stage.kafka.bootstrap_servers) as consumer:
        partitions = [TopicPartition(stage.uploads, number) for number in range(stage.script.partitions)]
        async with asyncio.timeout(_FINISH_TIMEOUT):
            while sum((await consumer.end_offsets(partitions)).values()) < images:
                await asyncio.sleep(0.2)


async def _until_judged(stage: Stage, images: int) -> bool:
    """Say whether every upload has a genuine verdict in time: what is committed may be the liar's word."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FINISH_TIMEOUT):
            while len({each.image for each in (await stage.evidence(KEYRING)).outcomes}) < images:
                await asyncio.sleep(1.0)
            return True
    return False


@contextlib.asynccontextmanager
async def _lying(stage: Stage, dice: random.Random) -> AsyncIterator[dict[str, Any]]:
    """Lie while the context lasts; yield how often, by what."""
    told = {"forged": 0, "visits": 0, "commits": 0, "taken": 0}
    tasks = [asyncio.create_task(_forge(stage, dice, told)), asyncio.create_task(_visit(stage, told))]
    try:
        yield told
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def _forge(stage: Stage, dice: random.Random, told: dict[str, Any]) -> None:
    """Write a forged outcome about each upload as it comes, and about one that is not there yet."""
    servers = stage.kafka.bootstrap_servers
    forger = Forger(stage.name, stage.outputs, KEYRING)
    async with (
        AIOKafkaConsumer(stage.uploads, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer,
        AIOKafkaProducer(bootstrap_servers=servers) as producer,
    ):
        async for record in consumer:
            for offset in (record.offset, record.offset + AHEAD):
                about = _delivery(record, offset)
                topic, forged = forger.forge(dice.randrange(12), about, orjson.loads(record.value)["event_id"])
                await producer.send(topic, forged.value, key=forged.key, headers=forged.headers)
                told["forged"] += 1


async def _visit(stage: Stage, told: dict[str, Any]) -> None:
    """Be a member of the group for a while, commit the end of every partition, and leave; again and again."""
    every = [TopicPartition(stage.uploads, number) for number in range(stage.script.partitions)]
    while True:
        consumer = AIOKafkaConsumer(
            stage.uploads,
            bootstrap_servers=stage.kafka.bootstrap_servers,
            group_id=stage.name,
            enable_auto_commit=False,
            session_timeout_ms=round(SETTINGS["session_timeout"] * 1000),
            heartbeat_interval_ms=round(SETTINGS["heartbeat_interval"] * 1000),
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        try:
            await consumer.start()
            told["visits"] += 1
            async with asyncio.timeout(_VISIT):
                while True:
                    told["taken"] += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
                    # Kafka lets a member commit for partitions that are not its own; aiokafka's `commit` does not.
                    ends = await consumer.end_offsets(every)
                    offsets = {each: OffsetAndMetadata(end, "") for each, end in ends.items()}
                    await internals.commit_once(consumer, offsets, internals.generation(consumer))
                    told["commits"] += 1
        except (TimeoutError, KafkaError):
            pass  # the group goes on without it, or its visit is over
        finally:
            await consumer.stop()
        await asyncio.sleep(_VISIT)


def _delivery(record: ConsumerRecord[Any, Any], offset: int) -> Delivery:
    return Delivery(
        topic=record.topic, partition=record.partition, offset=offset, timestamp=record.timestamp / 1000,
        key=record.key, value=record.value, headers=(), received=0.0,
    )  # fmt: skip
