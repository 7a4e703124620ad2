"""
Order within a key, and one key that is half of everything.
"""

from typing import Any

from bench.chaos import compare
from bench.chaos.report import Check, at_most, none_of
from bench.chaos.scenarios.playing import Findings, Setting, nothing_lost, nothing_lost_or_repeated
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import Shape, hot_uploads, uploads

KEYS = 100
FAILING = 0.05  # share of calls answered 500
RISKS = {"/high/": "high", "/medium/": "medium"}
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 120.0


async def keys(setting: Setting) -> Findings:
    """Publish many events of few keys, whose calls take any time, fail and are asked again."""
    events = KEYS * (100 if setting.full else 20)
    script = setting.script(
        latency=0.4,
        provider={"spread": 1.0, "failing_share": FAILING, "verdicts": RISKS},
    )
    async with Stage.opened(setting.kafka, f"keys-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(2)
        await stage.watch.until_members(2, _START_TIMEOUT)
        await stage.upload(uploads(stage.name, events, setting.seed, Shape(keys=KEYS, mixed=True)))
        finished = await stage.finished(_FINISH_TIMEOUT)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    overtaking = compare.overtakes(evidence.outcomes)
    topics = sorted({outcome.topic.rpartition(".")[2] for outcome in evidence.outcomes})
    failed = sum(call.code != 200 for call in evidence.calls)
    checks = [
        *nothing_lost_or_repeated(evidence, finished),
        none_of("verdicts that overtook an earlier one of their key", overtaking),
        Check("output topics that verdicts went to", len(topics), "= 3", len(topics) == 3),
        Check("calls that failed", failed, "> 0", failed > 0),
    ]
    return Findings(checks, {"events": len(evidence.uploads), "calls": len(evidence.calls)})


async def hot_key(setting: Setting) -> Findings:
    """Compare the other keys' delays with and without a key that has half of all events, in the quota and beyond."""
    lasts = 30.0 if setting.full else 8.0
    within, beyond = 0.2 * QUOTA, 0.7 * QUOTA  # the others' events a second; the hot key has as many again
    without = await _p99_of_others(setting, "without", within, lasts, hot=False)
    fits = await _p99_of_others(setting, "within", within, lasts, hot=True)
    # Half as long: what is beyond the quota has to be worked off afterwards.
    exceeds = await _p99_of_others(setting, "beyond", beyond, lasts / 2, hot=True)
    checks = [
        *fits["checks"],
        at_most("other keys' p99 with the hot key ÷ without", fits["p99"] / without["p99"], 1.2),
    ]
    figures = {
        "other keys' p99, seconds": {
            "without a hot key": without["p99"],
            f"hot key with {within:g} events a second": fits["p99"],
            f"hot key with {beyond:g} events a second, more in all than the quota": exceeds["p99"],
        },
        "hot key's p99, seconds": {"within": fits["hot p99"], "beyond": exceeds["hot p99"]},
    }
    return Findings(checks, figures)


async def _p99_of_others(setting: Setting, name: str, rate: float, lasts: float, *, hot: bool) -> dict[str, Any]:
    script = setting.script(partitions=12)
    count = round(rate * lasts)
    async with Stage.opened(setting.kafka, f"hot-{name}-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join()
        await stage.watch.until_members(1, _START_TIMEOUT)
        await stage.until_whole(_START_TIMEOUT)
        if hot:
            await stage.feed(hot_uploads(stage.name, 2 * count), 2 * rate)
        else:
            await stage.feed(uploads(stage.name, count, setting.seed), rate)
        finished = await stage.finished(_FINISH_TIMEOUT)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    others = {image for upload in evidence.uploads for image in upload.images if "/hot/" not in image}
    hots = {image for upload in evidence.uploads for image in upload.images} - others
    return {
        "checks": nothing_lost(evidence, finished),
        "p99": compare.percentile(compare.delays(evidence, others), 0.99),
        "hot p99": compare.percentile(compare.delays(evidence, hots), 0.99) if hots else 0.0,
    }
