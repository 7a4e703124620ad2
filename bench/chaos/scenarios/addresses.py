"""
The broker comes back at another address, as it does where names stay and hosts change: the bootstrap address is still
right, and no address that the service has learnt is.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from bench.chaos import compare
from bench.chaos.report import at_most
from bench.chaos.sampling import Stopwatch
from bench.chaos.scenarios.playing import Findings, Setting, exits, nothing_lost_or_repeated, told
from bench.chaos.stage import QUOTA, Stage
from bench.chaos.work import uploads
from tests.rig.kafka import KafkaCluster
from tests.rig.link import HOST, Link

REPLICAS = 2
_LISTENER = "MOVING"
_AWAY = 8.0  # seconds
_ALLOWED = 45.0  # seconds from the broker's return to the last verdict
_START_TIMEOUT = 60.0
_PORTS = range(20_000, 30_000)


async def addresses(setting: Setting) -> Findings:
    """Stop the broker under load and start it where nobody looks for it but who asks the bootstrap address."""
    port = random.Random(f"addresses {time.time()}").choice(_PORTS)
    async with AsyncExitStack() as stack:
        name, first, second = [await stack.enter_async_context(Link.opened()) for _ in range(3)]
        advertised = f"PLAINTEXT://{HOST}:{port},{_LISTENER}://{HOST}:{first.port}"
        kafka = await stack.enter_async_context(
            KafkaCluster.start(
                1, port=port, listeners={_LISTENER: "PLAINTEXT"}, properties={"advertised.listeners": advertised}
            )
        )
        for link in (name, first, second):
            link.target = kafka.bootstrap_servers_of(_LISTENER)
        return await _run(replace(setting, kafka=kafka), name, first, second)


async def _run(setting: Setting, name: Link, first: Link, second: Link) -> Findings:
    changes = {**(setting.changes or {}), "kafka": {"bootstrap_servers": f"{HOST}:{name.port}"}}
    script = setting.script(changes=changes)
    async with Stage.opened(setting.kafka, f"addresses-{setting.seed}", setting.seed, script) as stage:
        await stage.crew.join(REPLICAS)
        await stage.watch.until_members(REPLICAS, _START_TIMEOUT)
        await stage.until_whole(_START_TIMEOUT)
        records = uploads(stage.name, 10**9, setting.seed)
        await stage.upload([next(records) for _ in range(4 * QUOTA)])
        await stage.watch.until_outcomes(QUOTA, _START_TIMEOUT)
        await setting.kafka.stop_broker(1)
        first.close()
        _advertise(setting.kafka, first.port, second.port)
        await asyncio.sleep(_AWAY)
        await setting.kafka.start_broker(1)
        back = Stopwatch()
        finished = await stage.finished(_START_TIMEOUT)
        took = back.seconds()
        metrics = await told(stage)
        await stage.crew.leave(*stage.crew.members)
        evidence = await stage.evidence()
    checks = [
        *nothing_lost_or_repeated(evidence, finished),
        at_most("from the broker's return to the last commit, seconds", took, _ALLOWED),
        *exits(stage),
    ]
    stall = compare.longest_stall(evidence.calls, evidence.uploads).seconds
    return Findings(checks, {"images": len(evidence.uploads), "longest stall, seconds": stall, **metrics})


def _advertise(kafka: KafkaCluster, old: int, new: int) -> None:
    """Change the address that the stopped broker will tell."""
    path = kafka.folder / "broker-1" / "server.properties"
    listed, wanted = f"{_LISTENER}://{HOST}:{old}", f"{_LISTENER}://{HOST}:{new}"
    content = path.read_text()
    assert listed in content
    path.write_text(content.replace(listed, wanted))
