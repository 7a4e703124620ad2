"""
Measures one case: the service as a process with the settings that are shipped, and the most memory that it takes.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.memory.cases import Case, well
from tests.rig.fuzz.provider import Asked, RawProvider
from tests.rig.fuzz.replies import send
from tests.rig.fuzz.service import Progress, memory_bound, service
from tests.rig.fuzz.wire import Wire
from tests.rig.kafka import KafkaCluster
from tests.rig.outcomes import OUTCOMES

LARGEST_BATCH = 16 * 1024 * 1024  # bytes, packed
_PATIENCE = 60.0
_QUOTA = 1_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a case."""

    case: Case
    wire: int
    """Bytes that the input has in Kafka."""

    peak: int
    bound: int
    verdicts: int
    letters: int
    status: int | None
    left: int
    """Partitions that were not done."""

    @property
    def problems(self) -> Sequence[str]:
        """What is not as it must be."""
        found = []
        if self.peak > self.bound:
            found.append("more memory than the bound")
        if self.status != 0:
            found.append(f"exit status {self.status}")
        if self.left:
            found.append(f"{self.left} partitions are not done")
        for what, count, due in (
            ("verdicts", self.verdicts, self.case.verdicts),
            ("dead letters", self.letters, self.case.letters),
        ):
            if due >= 0 and count != due:
                found.append(f"{count} {what} where {due} were due")
        return found


async def measure(kafka: KafkaCluster, case: Case, folder: Path, name: str) -> Measured:
    """Publish a case's batches, start the service, and note its peak once all is done."""
    uploads = f"{name}.uploads"
    outputs = {outcome: f"{name}.{outcome}" for outcome in OUTCOMES}
    await kafka.create_topic(
        uploads, partitions=case.partitions, configs={"retention.ms": "-1", "max.message.bytes": str(LARGEST_BATCH)}
    )
    for topic in outputs.values():
        await kafka.create_topic(topic, partitions=1, configs={"max.message.bytes": str(1024 * 1024 + 16 * 1024)})

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if case.latency:
            await asyncio.sleep(case.latency)
        return await send((well if asked.attempt else case.answer)(asked.data_id), writer)

    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire.opened(kafka.bootstrap_servers))
        size = 0
        for partition, packed in case.batches():
            await wire.produce(uploads, partition, packed)
            size += len(packed)
        provider = await stack.enter_async_context(RawProvider.serving(answer))
        config = _config(kafka, name, uploads, outputs, provider.endpoint)
        run = await stack.enter_async_context(service(folder, config, name))
        progress = Progress(kafka.bootstrap_servers, wire, name, {uploads: case.partitions})
        left = await progress.until_done(run, _PATIENCE)
        status = await run.end()
        counts = {outcome: sum((await wire.ends(topic, range(1))).values()) for outcome, topic in outputs.items()}
    letters = counts.pop("dead_letter")
    return Measured(
        case, size, run.peak, memory_bound(case.partitions), sum(counts.values()), letters, status, len(left)
    )


def _config(kafka: KafkaCluster, name: str, uploads: str, outputs: dict[str, str], endpoint: str) -> dict[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": kafka.bootstrap_servers, "group_id": name, "topics": [uploads], "outputs": outputs,
        },
        "provider": {"endpoint": endpoint},
        "quota": {"qps": _QUOTA},
        "retries": {"first_delay": 0.05, "max_delay": 0.5},
        "breaker": {"probe_interval": 0.1},
    }  # fmt: skip
