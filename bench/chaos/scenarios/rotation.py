"""
A key is introduced under load, and replaced by another: read, sign, forget, twice, in rolling restarts with kills.

Nothing may be lost, held or published twice by that, nothing genuine refused, and nothing paid twice but what was in
flight at a kill.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiokafka.structs import OffsetAndMetadata

from bench.chaos import compare
from bench.chaos.report import none_of
from bench.chaos.sampling import POLL
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import uploads
from consumer.journal.commit_metadata import CommitMetadata
from tests.rig.kafka import committed

REPLICAS = 2
FAR = "2100-01-01T00:00:00Z"
NOT_BELIEVED = ("moderation_outcomes_not_believed_total", "moderation_foreign_commits_total")
CLOCK_SKEW = 1.0  # seconds
_RATE = QUOTA * 0.4
_MARKS_TIMEOUT = 30.0
_START_TIMEOUT = 60.0
_FINISH_TIMEOUT = 60.0
_ENDLESS = 10**9


def rollouts(folder: Path) -> Mapping[str, dict[str, Any]]:
    """The sections `identity` that one rollout after the other brings."""
    first, second = {"k1": str(folder / "k1")}, {"k2": str(folder / "k2")}
    return {
        "read k1": {"keys": first, "accept_unsigned_until": FAR},
        "sign with k1": {"keys": first, "sign": "k1", "accept_unsigned_until": FAR},
        "believe nothing unsigned": {"keys": first, "sign": "k1"},
        "read k2": {"keys": first | second, "sign": "k1"},
        "sign with k2": {"keys": first | second, "sign": "k2"},
        "forget k1": {"keys": second, "sign": "k2"},
    }


async def rotation(setting: Setting) -> Findings:
    """Roll one configuration after the other out over two replicas; in every second rollout one is killed."""
    with TemporaryDirectory(prefix="chaos-keys-") as folder:
        for name in ("k1", "k2"):
            Path(folder, name).write_text(name * 32)
        changes = {"journal": {"clock_skew": CLOCK_SKEW}, **(setting.changes or {})}
        script = setting.script(changes=changes)
        async with Stage.opened(setting.kafka, f"rotation-{setting.seed}", setting.seed, script) as stage:
            refused, kills = 0.0, []
            await stage.crew.join(REPLICAS)
            await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
            async with stage.feeding(uploads(stage.name, _ENDLESS, setting.seed), _RATE):
                for number, identity in enumerate(rollouts(Path(folder)).values()):
                    await _until_marks_are_younger(stage, time.time())
                    first, last = stage.crew.members
                    refused += await _refused(stage)
                    if number % 2:
                        kills.append((first.name, stage.crew.kill(first)))
                    else:
                        await stage.crew.leave(first)
                    await stage.crew.join(identity=identity)
                    await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
                    refused += await _refused(stage)
                    await stage.crew.join(identity=identity)
                    await stage.crew.leave(last)
                    await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
                await _until_marks_are_younger(stage, time.time())
            finished = await stage.finished(_FINISH_TIMEOUT)
            refused += await _refused(stage)
            await stage.crew.leave(*stage.crew.members)
            evidence = await stage.evidence()
    in_flight: set[str] = set()
    for name, moment in kills:
        in_flight |= compare.in_flight(evidence.calls, evidence.outcomes, name, moment)
    billed = compare.billed_twice(evidence.calls)
    checks = [
        *nothing_lost(evidence, finished),
        none_of("verdict ids published twice", compare.published_twice(evidence.outcomes)),
        none_of("images billed twice that were not in flight at a kill", billed.keys() - in_flight),
        none_of("outcomes and commits of ours that were not believed", round(refused)),
        *exits(stage),
    ]
    figures = {"images": len(evidence.uploads), "kills": len(kills), "billed twice": len(billed)}
    return Findings(checks, figures)


async def _until_marks_are_younger(stage: Stage, moment: float) -> None:
    """Return once no journal is read from before that moment; `moderation-consumer offsets` shows that to operators."""
    async with asyncio.timeout(_MARKS_TIMEOUT):
        while True:
            found = [CommitMetadata.read(each.metadata) for each in await _commits(stage)]
            marks = [each.journal_from - CLOCK_SKEW for each in found if each is not None]
            if len(marks) == stage.script.partitions and min(marks) > moment:
                return
            await asyncio.sleep(POLL)


async def _commits(stage: Stage) -> Collection[OffsetAndMetadata]:
    return (await committed(stage.kafka.bootstrap_servers, stage.name)).values()


async def _refused(stage: Stage) -> float:
    """What those that run have not believed; a replica that is asked more than once counts more than once."""
    return sum([await stage.crew.metric(name) for name in NOT_BELIEVED])
