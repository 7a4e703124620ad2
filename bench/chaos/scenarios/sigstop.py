"""
A replica is frozen past its session, its successor takes over, and then it goes on as if nothing had been.

It may finish and publish what it had in flight when it was frozen, because the provider has been paid for that and it
cannot know better; its successor has done the same by then. So these images, and no others, may be paid and published
twice, under the same ids.
"""

import asyncio
import random
import time

from bench.chaos import compare
from bench.chaos.report import at_most, none_of
from bench.chaos.sampling import POLL
from bench.chaos.scenarios.playing import Findings, Setting, nothing_lost, told, within_quota
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import uploads

REPLICAS = 2
_START_TIMEOUT = 60.0
_TAKEOVER_TIMEOUT = 60.0
_FINISH_TIMEOUT = 90.0
_ENDLESS = 10**9


async def sigstop(setting: Setting) -> Findings:
    """Freeze one of two replicas, again and again in the full form."""
    runs = setting.runs or (3 if setting.full else 1)
    outcomes = [await _run(setting, setting.seed + n) for n in range(runs)]
    if runs == 1:
        return outcomes[0]
    checks = [check for findings in outcomes for check in findings.checks]
    return Findings(checks, {f"run {n}": findings.figures for n, findings in enumerate(outcomes, 1)})


async def _run(setting: Setting, seed: int) -> Findings:
    dice = random.Random(f"sigstop {seed}")
    script = setting.script()
    async with Stage.opened(setting.kafka, f"sigstop-{seed}", seed, script) as stage:
        members = await stage.crew.join(REPLICAS)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        victim = dice.choice(members)
        async with stage.feeding(uploads(stage.name, _ENDLESS, seed), QUOTA * 0.8):
            await stage.watch.until_outcomes(dice.randrange(QUOTA, 3 * QUOTA), _START_TIMEOUT)
            stopped = time.time()
            victim.replica.suspend()
            # Its session is over and what it held has been done by the other.
            await stage.watch.until_members(1, _TAKEOVER_TIMEOUT)
            frozen_at = await stage.watch.committed()
            await _passed(stage, frozen_at or {})
            resumed = time.time()
            victim.replica.resume()
            await stage.watch.until_members(REPLICAS, _TAKEOVER_TIMEOUT)
        finished = await stage.finished(_FINISH_TIMEOUT)
        recovered = time.time() - resumed
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence, commits = await stage.evidence(), await stage.commits()
        quota = await within_quota(stage, evidence)
    before = compare.begun_before_a_stop(evidence.calls, stopped, resumed)
    in_flight = compare.in_flight(before, evidence.outcomes, victim.name, stopped)
    billed, twice = compare.billed_twice(evidence.calls), compare.published_twice(evidence.outcomes)
    images_twice = {outcome.image for outcome in evidence.outcomes if outcome.id in twice}
    checks = [
        *nothing_lost(evidence, finished),
        none_of(
            "committed offsets that went back", compare.steps_back((each.partition, each.offset) for each in commits)
        ),
        none_of("images whose repeated verdict has another id", compare.judged_under_two_ids(evidence.outcomes)),
        none_of("billed twice, but not in flight at the stop", billed.keys() - in_flight),
        none_of("published twice, but not in flight at the stop", images_twice - in_flight),
        at_most("in flight at the stop (max_in_flight)", len(in_flight), script.max_in_flight),
        quota,
    ]
    figures = {
        "seed": seed,
        "images": len(evidence.uploads),
        "frozen, seconds": resumed - stopped,
        "from SIGCONT until all was done, seconds": recovered,
        "longest stall, seconds": compare.longest_stall(evidence.calls, evidence.uploads).seconds,
        "in flight at the stop": len(in_flight),
        "billed twice": len(billed),
        "published twice": len(twice),
        "commits that the coordinator took": len(commits),
        **metrics,
    }
    return Findings(checks, figures)


async def _passed(stage: Stage, committed: dict[int, int]) -> None:
    """Return once the group has committed past `committed` in every partition that has it."""
    async with asyncio.timeout(_TAKEOVER_TIMEOUT):
        while True:
            now = await stage.watch.committed() or {}
            if now and all(now.get(partition, -1) > offset for partition, offset in committed.items()):
                return
            await asyncio.sleep(POLL)
