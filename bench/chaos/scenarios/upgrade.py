"""
A rolling upgrade under load from a release that knew no signatures, and back: nothing is lost, held or repeated.

Old replicas are replaced by new ones one after the other, then the key is introduced, and then old ones take the group
back: they find signed commits, which they take for another program's, and read the outputs from their beginning.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.chaos import releases
from bench.chaos.scenarios.playing import (
    Findings,
    NotYet,
    Setting,
    exits,
    nothing_lost_or_repeated,
    stall,
    within_quota,
)
from bench.chaos.stage import QUOTA, Script, Stage
from bench.chaos.work import uploads
from tests.rig.replica import THIS, Release

REPLICAS = 2
FAR = "2100-01-01T00:00:00Z"
_RATE = QUOTA * 0.4
_STALL_ALLOWED = 15.0  # seconds: two memberships that change, and outputs that are read whole
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 60.0
_ENDLESS = 10**9


async def upgrade(setting: Setting) -> Findings:
    """Replace replicas of the old release by new ones, and new ones that sign by old ones."""
    try:
        old = await releases.earlier(releases.BEFORE_SIGNATURES)
    except releases.NoHistory as reason:
        raise NotYet(str(reason)) from reason
    with TemporaryDirectory(prefix="chaos-key-") as folder:
        key = Path(folder, "k1")
        key.write_text("k" * 32)
        reading = {"keys": {"k1": str(key)}, "accept_unsigned_until": FAR}
        script = Script(program=setting.program, changes=setting.changes)  # without nets: the old one knows none
        async with Stage.opened(setting.kafka, f"upgrade-{setting.seed}", setting.seed, script) as stage:
            await stage.crew.join(REPLICAS, old)
            await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
            async with stage.feeding(uploads(stage.name, _ENDLESS, setting.seed), _RATE):
                await stage.watch.until_outcomes(QUOTA, _START_TIMEOUT)
                await _replace_all(stage)
                await _replace_all(stage, identity=reading)
                await _replace_all(stage, identity={**reading, "sign": "k1"})
                await _replace_all(stage, old)
            finished = await stage.finished(_FINISH_TIMEOUT)
            await stage.crew.leave(*stage.crew.members)
            evidence = await stage.evidence()
            quota = await within_quota(stage, evidence)
    checks = [
        *nothing_lost_or_repeated(evidence, finished),
        *exits(stage),
        stall(evidence, _STALL_ALLOWED),
        quota,
    ]
    return Findings(checks, {"images": len(evidence.uploads), "release": releases.BEFORE_SIGNATURES})


async def _replace_all(stage: Stage, release: Release = THIS, **changes: Any) -> None:
    """Start a new replica and end an old one, for each of them."""
    for leaving in list(stage.crew.members):
        await stage.crew.join(1, release, **changes)
        await stage.watch.until_members(REPLICAS + 1, _START_TIMEOUT)
        await stage.crew.leave(leaving)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
