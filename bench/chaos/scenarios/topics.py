"""
The topic that is read changes under the service: it is deleted and made again, or is given more partitions.
"""

import asyncio
import time
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from bench.chaos import compare
from bench.chaos.report import at_most, none_of
from bench.chaos.sampling import POLL
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost_or_repeated, told
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import uploads
from tests.rig.kafka import NewRecord
from tests.rig.kafka.admin import admin_client

REPLICAS = 2
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 60.0
_NOTICED = 40.0  # seconds: new partitions and topics are noticed within 30 s
_MORE = 12
_FIRST = 800
_ENDLESS = 10**9


async def recreated(setting: Setting) -> Findings:
    """Delete the topic once all of it is done, make it again with the same name, and upload to it."""
    script = setting.script()
    async with Stage.opened(setting.kafka, f"recreated-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(REPLICAS)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        await stage.upload(uploads(f"{stage.name}-old", _FIRST, setting.seed))
        before = await stage.finished(_FINISH_TIMEOUT)
        async with admin_client(setting.kafka.bootstrap_servers) as admin:
            await admin.delete_topics([stage.uploads])
        silent = await _until_named(stage)
        await setting.kafka.create_topic(
            stage.uploads, partitions=script.partitions, configs={"message.timestamp.type": "LogAppendTime"}
        )
        made = time.time()
        # More than the old topic had in each partition, and fewer in a part of them: no old offset may hide a new one.
        await stage.upload(uploads(f"{stage.name}-new", _FIRST // 2, setting.seed))
        finished = await _until_outcomes(stage, _FIRST + _FIRST // 2, _NOTICED + _FINISH_TIMEOUT)
        took = time.time() - made
        await stage.upload(uploads(f"{stage.name}-later", _FIRST, setting.seed))
        finished &= await _until_outcomes(stage, 2 * _FIRST + _FIRST // 2, _FINISH_TIMEOUT)
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    checks = [
        none_of("uploads of the old topic that were not done", 0 if before else 1),
        *nothing_lost_or_repeated(evidence, finished),
        none_of("replicas whose readiness did not name the missing topic", silent),
        at_most("from the new topic to the last verdict of what was uploaded with it, seconds", took, _NOTICED),
        *exits(stage),
    ]
    return Findings(checks, {"images of the new topic": len(evidence.uploads), **metrics})


async def _until_named(stage: Stage) -> int:
    """Return how many replicas are ready, or do not say which topic is missing, after half a minute."""
    deadline = time.monotonic() + _NOTICED
    while True:
        said = [await member.replica.readiness() for member in stage.crew.members]
        silent = sum(status == 200 or stage.uploads not in text for status, text in said)
        if not silent or time.monotonic() > deadline:
            return silent
        await asyncio.sleep(POLL)


async def added(setting: Setting) -> Findings:
    """Give the topic half as many partitions again under load, and upload to the new ones at once."""
    script = setting.script()
    async with Stage.opened(setting.kafka, f"added-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(REPLICAS)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        await stage.until_whole(_START_TIMEOUT)
        records = uploads(stage.name, _ENDLESS, setting.seed)
        async with stage.feeding(records, QUOTA * 0.3):
            await stage.watch.until_outcomes(QUOTA, _START_TIMEOUT)
            async with admin_client(setting.kafka.bootstrap_servers) as admin:
                await admin.create_partitions({stage.uploads: NewPartitions(_MORE)})
            added_at = time.time()
            await _spread(stage, uploads(f"{stage.name}-added", QUOTA, setting.seed))
            await asyncio.sleep(_NOTICED)
        async with stage.watching(_MORE) as watch:
            uploaded = sum((await watch.uploaded() or {}).values())
        finished = await _until_outcomes(stage, uploaded, _FINISH_TIMEOUT)
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    new = {upload.images[0] for upload in evidence.uploads if upload.partition >= script.partitions}
    last = max((outcome.at for outcome in evidence.outcomes if outcome.image in new), default=added_at)
    checks = [
        *nothing_lost_or_repeated(evidence, finished),
        at_most("from the new partitions to the last verdict of what was uploaded with them, seconds",
                last - added_at, _NOTICED),
        none_of("verdicts of a key that overtook an earlier one", compare.overtakes(evidence.outcomes)),
        *exits(stage),
    ]  # fmt: skip
    return Findings(checks, {"images": len(evidence.uploads), "of them in new partitions": len(new), **metrics})


async def _spread(stage: Stage, records: Iterator[NewRecord]) -> None:
    """Publish to the new partitions, in turn. A partition is given here: the producers that run know none of them."""
    new = range(stage.script.partitions, _MORE)
    async with AIOKafkaProducer(bootstrap_servers=stage.kafka.bootstrap_servers, acks="all") as producer:
        sent = [
            await producer.send(stage.uploads, record.value, key=record.key, partition=new[number % len(new)])
            for number, record in enumerate(records)
        ]
        await asyncio.gather(*sent)


async def _until_outcomes(stage: Stage, count: int, timeout: float) -> bool:
    """Return whether there were as many outcomes in time."""
    try:
        await stage.watch.until_outcomes(count, timeout)
    except TimeoutError:
        return False
    return True
