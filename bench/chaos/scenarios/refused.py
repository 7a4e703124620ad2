"""
One outcome that its topic does not take, for half a minute and a restart; then the topic is mended.

Only what shares its partition may wait for it, the others go on; a stop with it ends as any other; and it alone may be
paid for again, because its verdict never came to be.
"""

import asyncio
import time

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bench.chaos import compare
from bench.chaos.report import at_least, at_most, none_of
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost, told
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import event, uploads
from tests.rig.kafka import NewRecord
from tests.rig.kafka.admin import admin_client

REPLICAS = 2
REFUSED = "https://img.example.com/refused/high/1.jpg"
_RATE = QUOTA * 0.5
_WINDOW = 8.0
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 60.0
_STOP_ALLOWED = 12.0  # seconds
_ENDLESS = 10**9


async def refused(setting: Setting) -> Findings:
    """Let `block` refuse what has no key, go on, restart one replica after the other, and mend the topic."""
    script = setting.script(provider={"verdicts": {"/high/": "high"}})
    async with Stage.opened(setting.kafka, f"refused-{setting.seed}", setting.seed, script) as stage:
        await _clean_up(stage, "compact")
        first = await stage.crew.join(REPLICAS)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        await stage.until_whole(_START_TIMEOUT)
        async with stage.feeding(uploads(stage.name, _ENDLESS, setting.seed), _RATE):
            await stage.watch.until_outcomes(QUOTA, _START_TIMEOUT)
            await stage.upload([NewRecord(event("refused", [REFUSED]), key=None)])
            rate = await _rate(stage)
            said = [text for _, text in [await member.replica.readiness() for member in stage.crew.members]]
            stops = []
            for member in first:
                watch = time.monotonic()
                await stage.crew.leave(member)
                stops.append(time.monotonic() - watch)
                await stage.crew.join()
                await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
            await stage.until_whole(_START_TIMEOUT)
            rate_after = await _rate(stage)
        await _clean_up(stage, "delete")
        finished = await stage.finished(_FINISH_TIMEOUT)
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    billed = compare.billed_twice(evidence.calls)
    checks = [
        *nothing_lost(evidence, finished),
        none_of("verdict ids published twice", compare.published_twice(evidence.outcomes)),
        none_of("images billed more than once, but for the refused one", billed.keys() - {REFUSED}),
        at_least("outcomes a second beside the refused one, of uploads", rate / _RATE, 0.8),
        at_least("the same after both replicas were restarted", rate_after / _RATE, 0.8),
        at_most("longest stop with it, seconds", max(stops), _STOP_ALLOWED),
        none_of("replicas that say nothing of it", 0 if any("block" in text for text in said) else len(said)),
        *exits(stage),
    ]
    figures = {
        "images": len(evidence.uploads),
        "calls about the refused one": sum(call.image == REFUSED for call in evidence.calls),
        "readiness": [text.strip() for text in said],
        **metrics,
    }
    return Findings(checks, figures)


async def _clean_up(stage: Stage, policy: str) -> None:
    configs = {"cleanup.policy": policy, "message.timestamp.type": "LogAppendTime"}
    async with admin_client(stage.kafka.bootstrap_servers) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, stage.outputs["block"], configs)])


async def _rate(stage: Stage) -> float:
    """Outcomes a second over a while."""
    before, began = await stage.watch.outcomes() or 0, time.monotonic()
    await asyncio.sleep(_WINDOW)
    return ((await stage.watch.outcomes() or 0) - before) / (time.monotonic() - began)
