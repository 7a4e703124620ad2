"""
Replicas come and go in order, under load: one restart after the other, or a storm of them.

The load is a backlog that never runs dry: uploads come as fast as the quota takes them. Nobody dies here, so
nothing may be repeated.
"""

import asyncio
import random

from bench.chaos import compare
from bench.chaos.report import Check
from bench.chaos.sampling import Stopwatch
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost_or_repeated, stall, told, within_quota
from bench.chaos.stage import QUOTA, SETTINGS, Stage
from bench.chaos.work import uploads
from tests.rig.windows import busiest_window

BACKLOG = 2 * QUOTA
_ENDLESS = 10**9
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 90.0


async def rolling(setting: Setting) -> Findings:
    """
    Restart every one of four replicas, one after the other.

    A restart is two changes of the group, and the bound is each one's: the next comes when work goes on after one.
    """
    replicas, rounds = 4, setting.runs or (3 if setting.full else 1)
    script = setting.script()
    async with Stage.opened(setting.kafka, f"rolling-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(replicas)
        await stage.watch.until_members(replicas, _START_TIMEOUT)
        records = uploads(stage.name, _ENDLESS, setting.seed)
        await stage.upload([next(records) for _ in range(BACKLOG)])
        async with stage.feeding(records, QUOTA):
            for _ in range(rounds):
                for member in list(stage.crew.members):
                    await stage.crew.leave(member)
                    await _until_work_goes_on(stage, replicas - 1)
                    await stage.crew.join()
                    await _until_work_goes_on(stage, replicas)
        return await _end(stage, [f"{rounds * replicas} restarts"])


async def _until_work_goes_on(stage: Stage, members: int) -> None:
    """Return once the group has so many members, and more outcomes have come than the quota lets be in flight."""
    await stage.watch.until_members(members, _START_TIMEOUT)
    before = await stage.watch.outcomes() or 0
    await stage.watch.until_outcomes(before + round(stage.script.quota * stage.script.longest_latency), _START_TIMEOUT)


async def storm(setting: Setting) -> Findings:
    """Let a replica join or leave every three seconds."""
    interval, lasts = 3.0, 60.0 if setting.full else 20.0
    least, most = 1, 4
    dice = random.Random(f"storm {setting.seed}")
    script = setting.script()
    came_and_went = []
    async with Stage.opened(setting.kafka, f"storm-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(2)
        await stage.watch.until_members(2, _START_TIMEOUT)
        records = uploads(stage.name, _ENDLESS, setting.seed)
        await stage.upload([next(records) for _ in range(BACKLOG)])
        leaving: set[asyncio.Task[list[int]]] = set()
        async with stage.feeding(records, QUOTA):
            watch = Stopwatch()
            while (passed := watch.seconds()) < lasts:
                count = len(stage.crew.members)
                if count <= least or (count < most and dice.random() < 0.5):
                    await stage.crew.join()
                    came_and_went.append("+")
                else:
                    # Not waited for: the storm does not wait for anybody's drain.
                    leaving.add(asyncio.create_task(stage.crew.leave(dice.choice(stage.crew.members))))
                    came_and_went.append("-")
                await asyncio.sleep(max(0.0, interval - (watch.seconds() - passed)))
            await asyncio.gather(*leaving)
        return await _end(stage, ["".join(came_and_went)], judges_stall=False)


async def _end(stage: Stage, what: list[str], *, judges_stall: bool = True) -> Findings:
    finished = await stage.finished(_FINISH_TIMEOUT)
    metrics = await told(stage)
    await stage.crew.leave(*stage.crew.members)
    evidence = await stage.evidence()
    quota = await within_quota(stage, evidence)
    allowed = stage.script.longest_latency + 2 * SETTINGS["heartbeat_interval"] + 1.0
    checks: list[Check] = [*nothing_lost_or_repeated(evidence, finished), *exits(stage), quota]
    if judges_stall:
        checks.append(stall(evidence, allowed))
    arrivals = [call.at for call in evidence.calls]
    figures = {
        "what happened": what,
        "images": len(evidence.uploads),
        "longest stall, seconds": compare.longest_stall(evidence.calls, evidence.uploads).seconds,
        "mean calls a second ÷ Q": len(arrivals) / (max(arrivals) - min(arrivals)) / stage.script.quota,
        "calls in the worst sliding second": busiest_window(arrivals),
        **metrics,
    }
    return Findings(checks, figures)
