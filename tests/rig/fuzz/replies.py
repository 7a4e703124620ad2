"""
Plays answers: images whose calls the provider answers by dice, each checked by what the answers said.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.rig.fuzz.answers import FAULTY, Sent, sent
from tests.rig.fuzz.batches import RawRecord, written
from tests.rig.fuzz.provider import Asked, RawProvider
from tests.rig.fuzz.service import Progress, Report, memory_bound, readable, service
from tests.rig.fuzz.wire import Wire
from tests.rig.kafka import KafkaCluster
from tests.rig.outcomes import OUTCOMES

PARTITIONS = 8
IN_FLIGHT = 64
QUOTA = 2_000
READ_TIMEOUT = 2.0
PATIENCE = 90.0  # seconds without progress
COMPANY = 10**9  # images from this number on are always answered well
COMPANY_EVERY = 5.0  # seconds
COMPANY_ROUNDS = 60  # from then on nothing more moves, and what still waits is a fault
_NUMBER = re.compile(r"/(\d+)\.jpg")
_BATCH = 100


@dataclass(slots=True)
class AnswerPlay:
    """The topics, the provider and the findings of one play."""

    kafka: KafkaCluster
    folder: Path
    name: str
    seed: int
    numbers: Iterable[int]
    count: int
    tell: Callable[[str, float], None] = lambda phase, done: None
    patience: float = PATIENCE
    company_every: float = COMPANY_EVERY
    report: Report = field(default_factory=Report)
    last: dict[int, Sent] = field(default_factory=dict)
    """What was sent last, by image; without its body."""

    kinds: Counter[str] = field(default_factory=Counter)
    """Answers sent, by kind."""

    @property
    def uploads(self) -> str:
        """The topic that is read."""
        return f"{self.name}.uploads"

    @property
    def outputs(self) -> dict[str, str]:
        """Names of the output topics by outcome."""
        return {outcome: f"{self.name}.{outcome}" for outcome in OUTCOMES}

    async def run(self) -> Report:
        """Play all of it."""
        for topic in (self.uploads, *self.outputs.values()):
            await self.kafka.create_topic(topic, partitions=PARTITIONS)
        async with AsyncExitStack() as stack:
            wire = await stack.enter_async_context(Wire.opened(self.kafka.bootstrap_servers))
            provider = await stack.enter_async_context(RawProvider.serving(self._answer))
            run = await stack.enter_async_context(service(self.folder, self._config(provider.endpoint), "answers"))
            progress = Progress(self.kafka.bootstrap_servers, wire, self.name, {self.uploads: PARTITIONS})
            await self._produce(wire)
            company = asyncio.create_task(self._keep_company(wire, progress))
            left = await progress.until_done(
                run, self.patience, lambda open_: self.tell("answered", 1 - open_ / self.count)
            )
            company.cancel()
            await asyncio.wait([company])
            if left:
                what = "stands still" if run.replica.running else "ended by itself"
                self.report.problems.append(f"the service {what}:\n{run.replica.log_tail()[-3000:]}")
                await run.look()
                self.report.problems.append(f"/readyz: {run.pages.get('/readyz', 'no answer')[:600]}")
            status = await run.end()
            self.report.expect(status == 0, f"exit status {status} where 0 was due")
            bound = memory_bound(PARTITIONS, in_flight=IN_FLIGHT)
            self.report.expect(run.peak <= bound, f"peak memory {readable(run.peak)}, bound {readable(bound)}")
            self.report.figures |= {
                "images": self.count,
                "answers sent": dict(self.kinds.most_common()),
                "peak memory": readable(run.peak),
                "bound": readable(bound),
            }
            self._check(await self._verdicts(wire), whole=not left)
        return self.report

    def _config(self, endpoint: str) -> dict[str, Any]:
        return {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers, "group_id": self.name, "topics": [self.uploads],
                "outputs": self.outputs, "session_timeout": 15.0, "heartbeat_interval": 0.5,
            },
            "provider": {"endpoint": endpoint, "read_timeout": READ_TIMEOUT, "max_in_flight": IN_FLIGHT},
            "quota": {"qps": QUOTA},
            # Shorter than shipped: what is waited for says nothing about answers.
            "retries": {"first_delay": 0.05, "max_delay": 0.5},
            "breaker": {"probe_interval": 0.1},
        }  # fmt: skip

    async def _produce(self, wire: Wire) -> None:
        numbers = list(self.numbers)
        for start in range(0, len(numbers), _BATCH):
            await self._publish(wire, start // _BATCH % PARTITIONS, numbers[start : start + _BATCH])

    async def _publish(self, wire: Wire, partition: int, numbers: Iterable[int]) -> None:
        events = [RawRecord(None, _event(number), [], 1_795_600_000_000) for number in numbers]
        await wire.produce(self.uploads, partition, written(events))

    async def _keep_company(self, wire: Wire, progress: Progress) -> None:
        """
        Upload images that are answered well for as long as some wait.

        An image that is never answered is held until others have been: without others it waits for ever, as is due.
        """
        number = COMPANY
        for _ in range(COMPANY_ROUNDS):
            await asyncio.sleep(self.company_every)
            if await progress.open():
                for partition in range(PARTITIONS):
                    await self._publish(wire, partition, range(number, number + IN_FLIGHT // PARTITIONS))
                    number += IN_FLIGHT // PARTITIONS

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        found = _NUMBER.search(asked.image)
        number = int(found[1]) if found else 0
        faulty = 0.0 if number >= COMPANY else FAULTY
        made = sent(self.seed, number, asked.attempt, asked.data_id, faulty)
        self.kinds[made.kind] += 1
        self.last[number] = Sent(made.kind, b"", harmless=made.harmless)
        return await send(made, writer)

    async def _verdicts(self, wire: Wire) -> Mapping[int, list[tuple[str, Mapping[str, Any]]]]:
        found: dict[int, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        for outcome, topic in self.outputs.items():
            async for record in wire.records(topic, range(PARTITIONS)):
                event = orjson.loads(record.value or b"")
                if outcome == "dead_letter":
                    self.report.problems.append(f"a dead letter: {record.value!r}")
                    continue
                number = int(event["subject"]["id"])
                found[number].append((outcome, {"error": event["error"], "by": event["decided_by"]}))
        return found

    def _check(self, verdicts: Mapping[int, list[tuple[str, Mapping[str, Any]]]], whole: bool) -> None:
        decisions: Counter[str] = Counter()
        for number in self.numbers:
            found = verdicts.get(number, [])
            kind = self.last[number].kind if number in self.last else "not asked"
            if len(found) != 1:
                self.report.expect(
                    not whole and not found, f"image {number} ({kind}) has {len(found)} verdicts", number
                )
                continue
            ((decision, said),) = found
            error = said["error"]
            decisions[f"{decision} {error['class']}" if error else decision] += 1
            self.report.expect(
                decision != "pass" or self.last[number].harmless,
                f"image {number} passes, and its last answer ({kind}) does not say that it is harmless",
                number,
            )
            self.report.expect(
                decision != "pass" or (error is None and said["by"] == "policy"),
                f"image {number} passes with {error}",
                number,
            )
            self.report.expect(
                not error or error["class"] != "internal", f"image {number} ({kind}) met a bug: {error}", number
            )
            self.report.expect(
                kind != "good" or error is None, f"image {number} was answered and could not be judged: {error}", number
            )
        self.report.figures["decisions"] = dict(decisions.most_common())


async def send(made: Sent, writer: asyncio.StreamWriter) -> bool:
    """Send an answer as it is to be sent; whether the connection may be used again."""
    if made.breaks_at is not None:
        writer.write((made.head + made.body)[: made.breaks_at])
        await writer.drain()
        return False
    if made.drip:
        writer.write(made.head)
        for byte in made.body[:100]:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(made.drip)
        writer.write(made.body[100:])
        return made.keeps
    writer.write(made.head + made.body)
    await writer.drain()
    while made.endless:
        writer.write(made.body[-65_536:])
        await writer.drain()
    return made.keeps


def _event(number: int) -> bytes:
    return orjson.dumps(
        {
            "schema": "image.uploaded.v1",
            "event_id": f"a-{number}",
            "event_time": "2026-11-20T10:00:00Z",
            "subject": {"id": str(number)},
            "images": [{"url": f"https://img.example.com/{number}.jpg"}],
        }
    )
