"""
A million events wait, and one replica works at full speed. Does its memory keep growing?
"""

import asyncio
import time

from aiokafka import AIOKafkaProducer

from bench.chaos import compare
from bench.chaos.report import at_least, at_most
from bench.chaos.sampling import Stopwatch, resident_bytes, sampled
from bench.chaos.scenarios.playing import Findings, Setting
from bench.chaos.stage import Stage
from bench.chaos.work import event

FULL, SHORT = 1_500_000, 1_000_000  # events: a million might not last for ten minutes
OUT_OF_THE_WAY = 100_000  # calls a second: nothing but the machine limits it
LATENCY = 0.1  # seconds
ALLOWED_GROWTH = 1.1
_BATCH = 900_000  # bytes
_IN_FLIGHT = 240  # calls
_START_TIMEOUT = 60.0
_MIB = 2**20


async def backlog(setting: Setting) -> Findings:
    """Publish the backlog, start a replica, and look at its memory every second."""
    events, lasts, settled = (FULL, 600.0, 60.0) if setting.full else (SHORT, 45.0, 15.0)
    changes = {"provider": {"max_in_flight": _IN_FLIGHT}, **(setting.changes or {})}
    script = setting.script(quota=OUT_OF_THE_WAY, latency=LATENCY, changes=changes)
    async with Stage.opened(setting.kafka, f"backlog-{setting.seed}", setting.seed, script) as stage:
        watch = Stopwatch()
        await publish_backlog(stage, events)
        published_in = watch.seconds()
        published = sum((await stage.watch.uploaded() or {}).values())
        (member,) = await stage.crew.join()
        await stage.watch.until_outcomes(1, _START_TIMEOUT)
        began = time.monotonic()

        async def look() -> tuple[float, int]:
            return time.monotonic() - began, resident_bytes(member.replica.pid)

        before = await stage.watch.outcomes() or 0
        async with sampled(look, 1.0) as samples:
            await asyncio.sleep(lasts)
        after = await stage.watch.outcomes() or 0
        stats = await stage.provider.stats()
        stage.crew.kill(member)
    first, final, ratio = compare.growth(samples, settled)
    checks = [
        at_most(f"memory at the end ÷ after {settled:g} s", ratio, ALLOWED_GROWTH),
        at_least("events published", published, events),
        at_least("events still waiting at the end", published - after, 1),
        at_most("seconds to publish the backlog", published_in, 120.0),
    ]
    figures = {
        "MiB": {"settled": first / _MIB, "end": final / _MIB, "most": max(size for _, size in samples) / _MIB},
        "MiB every tenth of the time": [round(size / _MIB, 1) for _, size in samples[:: max(1, len(samples) // 10)]],
        "events a second": (after - before) / lasts,
        "calls": stats["arrivals"],
    }
    return Findings(checks, figures)


async def publish_backlog(stage: Stage, events: int) -> None:
    """Publish events of one image, evenly over the partitions, in batches built beforehand."""
    async with AIOKafkaProducer(
        bootstrap_servers=stage.kafka.bootstrap_servers, acks=1, max_batch_size=_BATCH, max_request_size=2 * _BATCH
    ) as producer:
        await asyncio.gather(
            *(
                _publish_partition(
                    producer, stage.uploads, partition, range(partition, events, stage.script.partitions)
                )
                for partition in range(stage.script.partitions)
            )
        )


async def _publish_partition(producer: AIOKafkaProducer, topic: str, partition: int, numbers: range) -> None:
    template = event("backlog-NUMBER", ["https://img.example.com/backlog/usual/none/NUMBER.jpg"])
    batch = producer.create_batch()
    for number in numbers:
        digits = b"%d" % number
        key, value = b"shop-eu|" + digits, template.replace(b"NUMBER", digits)
        if batch.append(key=key, value=value, timestamp=None) is None:
            await (await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    await (await producer.send_batch(batch, topic, partition=partition))
