"""
Brokers stop: one after the other, then all of them, under load.

Three brokers hold everything three times, and two must take a write. Each is stopped in turn, the group's coordinator
first, so every leader is among them. A replica that ends is started again, as an orchestrator would, and counted.
"""

import asyncio
import time

from bench.chaos import compare
from bench.chaos.sampling import Stopwatch, sampled
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost_or_repeated, told
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import uploads
from tests.rig.kafka import KafkaCluster

REPLICAS = 2
REQUEST_TIMEOUT = 40.0  # seconds: aiokafka's request_timeout_ms, after which an unanswered batch fails
_START_TIMEOUT = 60.0
_RECOVERY_TIMEOUT = 90.0
_FINISH_TIMEOUT = 60.0


async def brokers(setting: Setting) -> Findings:
    """Stop brokers and start them again; what was uploaded before must all come out."""
    absences = (30.0, REQUEST_TIMEOUT + 10.0) if setting.full else (10.0,)
    script = setting.script()
    happened: list[str] = []
    gone: list[tuple[float, float]] = []
    async with Stage.opened(setting.kafka, f"brokers-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(REPLICAS)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        records = uploads(stage.name, 10**9, setting.seed)
        async with sampled(stage.crew.replace_fallen, 1.0):
            coordinator = await setting.kafka.coordinator_of(stage.name)
            for node in (coordinator, *(setting.kafka.brokers.keys() - {coordinator})):
                roles = await _roles(stage, node)
                await stage.upload([next(records) for _ in range(4 * QUOTA)])
                await _some_more(stage, QUOTA)
                watch = Stopwatch()
                await setting.kafka.stop_broker(node)
                # With two of three everything goes on. A broker may take so long to stop that what was there is done.
                await stage.upload([next(records) for _ in range(2 * QUOTA)])
                await _some_more(stage, QUOTA)
                await setting.kafka.start_broker(node)
                happened.append(f"broker {node} ({roles}) away for {watch.seconds():.1f} s")
                happened[-1] += await _recovery(stage)
            for absence in absences:
                # More than can be done before they stop: calls are in flight, and outcomes on their way.
                await stage.upload([next(records) for _ in range(4 * QUOTA)])
                await _some_more(stage, QUOTA)
                watch = Stopwatch()
                gone.append(await _all_away(setting.kafka, absence))
                happened.append(f"all brokers away for {watch.seconds():.1f} s")
                happened[-1] += await _recovery(stage)
            finished = await stage.finished(_FINISH_TIMEOUT)
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    arrivals = sorted(call.at for call in evidence.calls)
    figures = {
        "what happened": happened,
        "calls while no broker was there": [compare.count_between(arrivals, *absence) for absence in gone],
        "images": len(evidence.uploads),
        "longest stall, seconds": compare.longest_stall(evidence.calls, evidence.uploads).seconds,
        **metrics,
    }
    return Findings([*nothing_lost_or_repeated(evidence, finished), *exits(stage)], figures)


async def _some_more(stage: Stage, count: int) -> None:
    """Return once so many more outcomes are there."""
    async with asyncio.timeout(_RECOVERY_TIMEOUT):
        while (now := await stage.watch.outcomes()) is None:
            await asyncio.sleep(0.1)
    await stage.watch.until_outcomes(now + count, _RECOVERY_TIMEOUT)


async def _recovery(stage: Stage) -> str:
    """Say how long it took until everything uploaded had been committed."""
    watch = Stopwatch()
    recovered = await stage.watch.until_no_lag(_RECOVERY_TIMEOUT)
    return f", all done {watch.seconds():.1f} s later" if recovered else f", NOT done {watch.seconds():.0f} s later"


async def _roles(stage: Stage, node: int) -> str:
    kafka = stage.kafka
    led = [await kafka.leader_of(stage.uploads, number) == node for number in range(stage.script.partitions)]
    coordinates = await kafka.coordinator_of(stage.name) == node
    return f"leads {sum(led)} of {len(led)} partitions{', coordinates the group' if coordinates else ''}"


async def _all_away(kafka: KafkaCluster, absence: float) -> tuple[float, float]:
    """Kill all brokers at once, start them after `absence` seconds, and return when none was there."""
    await asyncio.gather(*(kafka.kill_broker(node) for node in kafka.brokers))
    began = time.time()
    await asyncio.sleep(absence)
    ended = time.time()
    await asyncio.gather(*(kafka.start_broker(node) for node in kafka.brokers))
    return began, ended
