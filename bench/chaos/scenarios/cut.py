"""
One replica of four is cut off from Kafka, and not from the provider: it must stop calling before its successors start.

It can be told nothing. Its lease ends by itself, and its partitions go to the others when the broker has missed its
heartbeats for a session timeout.
"""

import random
import time
from dataclasses import replace

from bench.chaos import compare
from bench.chaos.report import Check, at_most, none_of
from bench.chaos.scenarios.playing import Findings, Setting, nothing_lost, told, within_quota
from bench.chaos.stage import QUOTA, SETTINGS, Stage
from bench.chaos.work import uploads
from tests.rig.kafka import KafkaCluster
from tests.rig.link import HOST, Link

REPLICAS = 4
_BACKLOG = 2 * QUOTA
_ENDLESS = 10**9
_START_TIMEOUT = 60.0
_TAKEOVER_TIMEOUT = 30.0
_FINISH_TIMEOUT = 90.0
_RESOLUTION = 0.001  # seconds
_PORTS = range(20_000, 30_000)


async def cut(setting: Setting) -> Findings:
    """Cut one off under load, mend it once the others have taken over, and look who called when."""
    port = random.Random(f"cut {time.time()}").choice(_PORTS)
    async with Link.opened() as link:
        advertised = f"PLAINTEXT://{HOST}:{port},CUT://{HOST}:{link.port}"
        async with KafkaCluster.start(
            1, port=port, listeners={"CUT": "PLAINTEXT"}, properties={"advertised.listeners": advertised}
        ) as kafka:
            link.target = kafka.bootstrap_servers_of("CUT")
            return await _run(replace(setting, kafka=kafka), link)


async def _run(setting: Setting, link: Link) -> Findings:
    script = setting.script()
    async with Stage.opened(setting.kafka, f"cut-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(REPLICAS - 1)
        [victim] = await stage.crew.join(kafka={"bootstrap_servers": f"{HOST}:{link.port}"})
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        records = uploads(stage.name, _ENDLESS, setting.seed)
        await stage.upload([next(records) for _ in range(_BACKLOG)])
        async with stage.feeding(records, QUOTA):
            await stage.watch.until_outcomes(2 * QUOTA, _START_TIMEOUT)
            cut_at = time.time()
            link.cut()
            await stage.watch.until_members(REPLICAS - 1, _TAKEOVER_TIMEOUT)
            # The others go on meanwhile: so many outcomes take the successors well beyond their first calls.
            await stage.watch.until_outcomes((await stage.watch.outcomes() or 0) + 6 * QUOTA, _TAKEOVER_TIMEOUT)
            mended_at = time.time()
            link.mend()
            await stage.watch.until_members(REPLICAS, _TAKEOVER_TIMEOUT)
        finished = await stage.finished(_FINISH_TIMEOUT)
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
        quota = await within_quota(stage, evidence)
    partition = {image: upload.partition for upload in evidence.uploads for image in upload.images}
    alone = [call for call in evidence.calls if call.caller == victim.name and cut_at <= call.at < mended_at]
    held = {partition[call.image] for call in evidence.calls if call.caller == victim.name and call.at < cut_at}
    stopped_at = max((call.at for call in alone), default=cut_at)
    successors = [
        call.at
        for call in evidence.calls
        if call.caller != victim.name and cut_at < call.at and partition[call.image] in held
    ]
    took_over_at = min(successors)
    billed = compare.billed_twice(evidence.calls)
    # What it had sent to Kafka when it was cut off may still arrive once it is mended: a process that outlived its
    # session, whose repeated verdicts carry the same ids.
    before = [call for call in evidence.calls if call.at < mended_at]
    in_flight = compare.in_flight(before, evidence.outcomes, victim.name, stopped_at + _RESOLUTION)
    twice = compare.published_twice(evidence.outcomes)
    images_twice = {outcome.image for outcome in evidence.outcomes if outcome.id in twice}
    checks = [
        *nothing_lost(evidence, finished),
        Check(
            "seconds from its last call to its successors' first", round(took_over_at - stopped_at, 3), "> 0",
            took_over_at > stopped_at,
        ),
        at_most("seconds until it stopped calling", stopped_at - cut_at, SETTINGS["session_timeout"] - 1.0),
        none_of("images whose repeated verdict has another id", compare.judged_under_two_ids(evidence.outcomes)),
        none_of("billed twice, but not in flight at the one that was cut off", billed.keys() - in_flight),
        none_of("published twice, but not in flight at the one that was cut off", images_twice - in_flight),
        quota,
    ]  # fmt: skip
    figures = {
        "calls while it was cut off": len(alone),
        "seconds until it stopped calling": stopped_at - cut_at,
        "seconds until its successors called": took_over_at - cut_at,
        "in flight when it stopped calling": len(in_flight),
        "billed twice": len(billed),
        "published twice": len(twice),
        **metrics,
    }
    return Findings(checks, figures)
