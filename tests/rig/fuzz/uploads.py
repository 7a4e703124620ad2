"""
Plays records: through Kafka and the service, each of them checked by what it left behind; then all of it again, with
the group's commits gone, when the outputs are the journal and nothing may be paid for or published twice.
"""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiokafka.errors import KafkaError

from tests.rig.fuzz.batches import RawRecord, written
from tests.rig.fuzz.documents import BINDINGS, SECRET
from tests.rig.fuzz.provider import Asked, RawProvider, good, response
from tests.rig.fuzz.records import (
    LARGEST_BATCH,
    LARGEST_BOMB,
    OUTPUT_COMPRESSION,
    TOPICS,
    Case,
    batches,
    case,
    tells_the_format,
)
from tests.rig.fuzz.service import Progress, Report, Run, memory_bound, readable, service
from tests.rig.fuzz.wire import Wire
from tests.rig.kafka import KafkaCluster

QUOTA = 4_000  # calls a second: the service is to be what limits
OUTPUT_PARTITIONS = 4
PATIENCE = 60.0  # seconds without progress
TRUNCATED = "dlq_truncated"
_SENDING = 8  # batches on their way at once
_SECRET = SECRET.encode()
_LEVELS = ("none", "none", "none", "low", "medium", "high")
_OURS = ("dlq_", "source_group")

Source = tuple[str, int, int]
"""Topic, partition and offset of a record that was read."""

Left = Mapping[tuple[str, int], tuple[int, int]]
"""Partitions that are not done: where they stand, and where they end."""

Tell = Callable[[str, float], None]
"""Takes a phase and how much of it is done, from 0 to 1."""


class SeenVerdict(NamedTuple):
    """What is kept of a verdict."""

    id: str
    image: str
    of: int
    url: str | None
    key: bytes | None
    decided_by: str
    error: str | None


class SeenLetter(NamedTuple):
    """What is kept of a dead letter."""

    reason: str
    key: bytes | None
    digest: bytes
    size: int
    truncated: bool
    last: int
    """The offset of the last record that it stands for."""


@dataclass(slots=True)
class Evidence:
    """What the output topics hold, by source."""

    verdicts: dict[Source, list[SeenVerdict]] = field(default_factory=lambda: defaultdict(list))
    letters: dict[Source, list[SeenLetter]] = field(default_factory=lambda: defaultdict(list))
    told: list[str] = field(default_factory=list)
    """Where a secret stands in what the service wrote."""

    broken: list[str] = field(default_factory=list)
    """Outcomes that cannot be read."""

    @property
    def count(self) -> tuple[int, int]:
        """Verdicts and dead letters."""
        return sum(map(len, self.verdicts.values())), sum(map(len, self.letters.values()))


def digest(value: bytes | None) -> bytes:
    """Name a value."""
    return b"" if value is None else hashlib.blake2b(value, digest_size=16).digest()


@dataclass(slots=True)
class Play:
    """The topics, the provider and the findings of one play."""

    kafka: KafkaCluster
    folder: Path
    name: str
    seed: int
    numbers: Iterable[int]
    count: int
    tell: Tell = lambda phase, done: None
    largest_bomb: int = LARGEST_BOMB
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    patience: float = PATIENCE
    report: Report = field(default_factory=Report)
    placed: dict[int, Source] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    """Batches that the broker itself did not take, by its error."""

    @property
    def inputs(self) -> dict[str, int]:
        """Names of the input topics and how many partitions they have."""
        return {f"{self.name}.{topic.name}": topic.partitions for topic in TOPICS}

    @property
    def outputs(self) -> dict[str, str]:
        """Names of the output topics by outcome."""
        return {outcome: f"{self.name}.{outcome}" for outcome in OUTPUT_COMPRESSION}

    async def run(self) -> Report:
        """Play all of it."""
        async with AsyncExitStack() as stack:
            await self._create_topics()
            wire = await stack.enter_async_context(Wire.opened(self.kafka.bootstrap_servers))
            provider = await stack.enter_async_context(RawProvider.serving(self._answer))
            progress = Progress(self.kafka.bootstrap_servers, wire, self.name, self.inputs)
            config = self._config(provider.endpoint)
            first, left = await self._first(wire, progress, config)
            evidence = await self._read(wire)
            self._check(first, evidence, provider, left)
            if left:  # what is not done cannot be read back
                return self.report
            paid = provider.attempts.total()
            await self._second(wire, progress, config)
            again = await self._read(wire)
            self.report.expect(provider.attempts.total() == paid, f"paid again: {provider.attempts.total() - paid}")
            self.report.expect(
                again.count == evidence.count, f"published twice: {again.count} outcomes where {evidence.count} were"
            )
            self.report.figures |= {
                "paid again": provider.attempts.total() - paid,
                "published twice": sum(again.count) - sum(evidence.count),
            }
        return self.report

    async def _create_topics(self) -> None:
        usual = {"retention.ms": "-1", "message.timestamp.after.max.ms": str(2**63 - 1)}
        for topic in TOPICS:
            configs = {
                **usual,
                "compression.type": topic.compression,
                "max.message.bytes": str(LARGEST_BATCH),
                "message.timestamp.type": "LogAppendTime" if topic.log_append_time else "CreateTime",
            }
            await self.kafka.create_topic(f"{self.name}.{topic.name}", partitions=topic.partitions, configs=configs)
        for outcome, codec in OUTPUT_COMPRESSION.items():
            configs = {**usual, "compression.type": codec}
            if outcome == "dead_letter":
                configs["max.message.bytes"] = str(1024 * 1024 + 16 * 1024)
            await self.kafka.create_topic(self.outputs[outcome], partitions=OUTPUT_PARTITIONS, configs=configs)

    def _config(self, endpoint: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "group_id": self.name,
                "topics": list(self.inputs),
                "outputs": self.outputs,
                "session_timeout": 15.0,
                "heartbeat_interval": 0.5,
            },
            "provider": {"endpoint": endpoint},
            "quota": {"qps": QUOTA},
            "bindings": list(BINDINGS),
        }
        for section, settings in self.changes.items():
            config[section] = {**config.get(section, {}), **settings}
        return config

    async def _answer(self, asked: Asked, writer: Any) -> bool:
        level = _LEVELS[hashlib.blake2b(asked.data_id.encode(), digest_size=1).digest()[0] % len(_LEVELS)]
        writer.write(response(good(asked.data_id, level)))
        return True

    async def _first(self, wire: Wire, progress: Progress, config: Mapping[str, Any]) -> tuple[Run, Left]:
        async with service(self.folder, config, "first") as run:
            await self._produce(wire)
            left = await progress.until_done(run, self.patience, self._teller("judged"))
            await self._end(run, left)
            return run, left

    async def _second(self, wire: Wire, progress: Progress, config: Mapping[str, Any]) -> None:
        """Forget the commits, and read everything again."""
        await wire.forget(self.name)
        async with service(self.folder, config, "second") as run:
            left = await progress.until_done(run, self.patience, self._teller("read back"))
            await self._end(run, left)
            self.report.figures["read back, peak memory"] = readable(run.peak)

    def _teller(self, phase: str) -> Callable[[int], None]:
        return lambda left: self.tell(phase, 1 - left / max(1, len(self.placed)))

    async def _end(self, run: Run, left: Left) -> None:
        """Ask it to go; that it did not do all of its work is a problem."""
        alive = run.replica.running
        if left:
            self._name_suspects(left)
            what = "stands still" if alive else "ended by itself"
            self.report.problems.append(f"the service {what}:\n{run.replica.log_tail()[-3000:]}")
            await run.look()
            self.report.problems.append(f"/readyz: {run.pages.get('/readyz', 'no answer')[:600]}")
        status = await run.end()
        self.report.expect(status == 0, f"exit status {status} where 0 was due")
        for place in run.told():
            self.report.problems.append(f"a secret is told: {place}")

    def _name_suspects(self, left: Left) -> None:
        by_source = {source: number for number, source in self.placed.items()}
        for (topic, partition), (at, end) in left.items():
            number = by_source.get((topic, partition, at))
            named = "" if number is None else f": {_shown(case(self.seed, number, self.largest_bomb))}"
            self.report.problems.append(f"{topic}-{partition} is not read beyond {at} of {end}{named}")
            if number is not None:
                self.report.suspects.append(number)

    async def _produce(self, wire: Wire) -> None:
        slots = asyncio.Semaphore(_SENDING)
        sent = 0

        async def send(gathered: list[Case]) -> None:
            nonlocal sent
            topic, partition = f"{self.name}.{gathered[0].topic}", gathered[0].partition
            try:
                packed = written([each.record for each in gathered], gathered[0].codec)
                offset = await wire.produce(topic, partition, packed)
            except KafkaError as error:
                self.refused[type(error).__name__] += len(gathered)
            else:
                for index, each in enumerate(gathered):
                    self.placed[each.number] = (topic, partition, offset + index)
            finally:
                slots.release()
            sent += len(gathered)
            self.tell("published", sent / self.count)

        async with asyncio.TaskGroup() as tasks:
            for gathered in batches(self._cases()):
                await slots.acquire()
                tasks.create_task(send(gathered))

    def _cases(self) -> Iterator[Case]:
        return (case(self.seed, number, self.largest_bomb) for number in self.numbers)

    async def _read(self, wire: Wire) -> Evidence:
        evidence = Evidence()
        for outcome, topic in self.outputs.items():
            async for record in wire.records(topic, range(OUTPUT_PARTITIONS)):
                try:
                    if outcome == "dead_letter":
                        _take_letter(evidence, record)
                    else:
                        _take_verdict(evidence, record, outcome)
                except (KeyError, ValueError) as error:
                    place = f"{topic}-{record.partition}@{record.offset}"
                    evidence.broken.append(f"{place} cannot be read: {type(error).__name__} {error}")
        return evidence

    def _check(self, run: Run, evidence: Evidence, provider: RawProvider, left: Left) -> None:
        report = self.report
        report.problems += evidence.broken
        report.problems += [f"a secret is told: {place}" for place in evidence.told]
        outcomes: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        by_source = _covering(evidence)
        for each in self._cases():
            source = self.placed.get(each.number)
            if source is None or source[2] >= left.get(source[:2], (source[2] + 1, 0))[0]:
                continue
            verdicts, letters = evidence.verdicts.get(source, []), by_source.get(source, [])
            outcome = "judged" if verdicts else "dead" if letters else "ignored"
            outcomes[outcome] += 1
            reasons.update(letter.reason for letter in letters)
            for problem in wrong(each, verdicts, letters):
                report.expect(False, f"{_shown(each)} at {source}: {problem}", each.number)
        for verdicts in evidence.verdicts.values():
            for verdict in verdicts:
                calls = provider.attempts[verdict.id]
                report.expect(calls == 1, f"verdict {verdict.id} ({verdict.error}) had {calls} calls")
        many, letters_found = evidence.count
        ids = [verdict.id for found in evidence.verdicts.values() for verdict in found]
        report.expect(len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} verdict ids stand twice")
        counted = {
            outcome: run.counted("moderation_messages_total", outcome=outcome)
            for outcome in ("submitted", "dead_letter", "ignored")
        }
        seen = {"submitted": outcomes["judged"], "dead_letter": letters_found, "ignored": outcomes["ignored"]}
        report.expect(bool(left) or counted == seen, f"messages by metric {counted}, by what is there {seen}")
        asked = run.counted("moderation_verdicts_total")
        report.expect(bool(left) or asked == many, f"verdicts by metric {asked:.0f}, in the topics {many}")
        bound = memory_bound(sum(self.inputs.values()), outcomes=len(self.placed))
        report.expect(run.peak <= bound, f"peak memory {readable(run.peak)}, bound {readable(bound)}")
        report.figures |= {
            "records": len(self.placed),
            "not taken by the broker": dict(self.refused),
            "judged, dead, ignored": dict(outcomes),
            "verdicts": many,
            "dead letters by reason": dict(reasons.most_common()),
            "peak memory": readable(run.peak),
            "bound": readable(bound),
        }


def _shown(each: Case) -> str:
    return f"case {each.number} ({each.kind}, {each.codec}, {each.topic}-{each.partition})"


def _covering(evidence: Evidence) -> dict[Source, list[SeenLetter]]:
    """Dead letters by every source that they stand for: one stands for a whole batch where that could not be read."""
    found: dict[Source, list[SeenLetter]] = defaultdict(list)
    for (topic, partition, offset), letters in evidence.letters.items():
        for letter in letters:
            for each in range(offset, letter.last + 1):
                found[topic, partition, each].append(letter)
    return found


def _take_verdict(evidence: Evidence, record: RawRecord, decision: str) -> None:
    headers = {name.decode(): value or b"" for name, value in record.headers if not name.startswith(b"original_")}
    verdict = orjson.loads(record.value or b"")
    if _SECRET in (record.value or b"") or any(_SECRET in (value or b"") for _, value in record.headers):
        evidence.told.append(f"verdict {verdict['verdict_id']}: {(record.value or b'')[:400]!r}")
    if verdict["decision"] != decision:
        raise ValueError(f"decision {verdict['decision']} in the topic of {decision}")
    source = (headers["source_topic"].decode(), int(headers["source_partition"]), int(headers["source_offset"]))
    error = verdict["error"]
    evidence.verdicts[source].append(
        SeenVerdict(
            headers["ce_id"].decode(),
            verdict["image"]["id"],
            verdict["image"]["of"],
            verdict["image"]["url"],
            record.key,
            verdict["decided_by"],
            error and error["class"],
        )
    )


def _take_letter(evidence: Evidence, record: RawRecord) -> None:
    # The last of a name is ours: the message's own come first.
    headers = {name.decode(): value or b"" for name, value in record.headers}
    source = (
        headers["dlq_source_topic"].decode(),
        int(headers["dlq_source_partition"]),
        int(headers["dlq_source_offset"]),
    )
    for name, value in headers.items():
        if name.startswith(_OURS) and _SECRET in value:
            evidence.told.append(f"dead letter of {source}: {name}: {value[:300]!r}")
    last = int(headers.get("dlq_last_offset", source[2]))
    evidence.letters[source].append(
        SeenLetter(
            headers["dlq_reason"].decode(),
            record.key,
            digest(record.value),
            len(record.value or b""),
            TRUNCATED in headers,
            last if headers["dlq_reason"].startswith(b"batch_") else source[2],
        )
    )


_CREATIONS = (
    "ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload",
    "ObjectCreated:PutObject", "ObjectCreated:PostObject", "ObjectCreated:CopyObject", "ObjectCreated:AppendObject",
    "Object Created",
)  # fmt: skip


def _names_no_creation(value: Any) -> bool:
    """Whether some event in it calls itself something else than a creation: only such may be ignored."""
    if isinstance(value, list):
        return any(map(_names_no_creation, value))
    if not isinstance(value, dict):
        return False
    for name in ("eventName", "detail-type", "Event"):
        told = value.get(name)
        if isinstance(told, str) and told.removeprefix("s3:") not in _CREATIONS:
            return True
    return any(map(_names_no_creation, value.values()))


def wrong(each: Case, verdicts: list[SeenVerdict], letters: list[SeenLetter]) -> Iterator[str]:
    """Say what is not as it must be with the outcomes of one record."""
    wanted = "any" if tells_the_format(each) and each.record.value is not None else each.document.outcome
    value = each.record.value
    if verdicts and letters:
        yield f"has {len(verdicts)} verdicts and a dead letter ({letters[0].reason})"
    if verdicts:
        yield from _wrong_verdicts(each, verdicts, wanted)
    elif letters:
        if len(letters) > 1:
            yield f"has {len(letters)} dead letters"
        letter = letters[0]
        if wanted in ("judged", "ignored"):
            yield f"is a dead letter ({letter.reason}) where {wanted} was due"
        if not letter.reason.startswith("batch_") and not letter.truncated and letter.digest != digest(value):
            yield f"its dead letter has other bytes: {letter.size} where {len(value or b'')} were"
        if letter.reason == "internal":
            yield "met a bug: dead letter internal"
    elif value is not None:
        if wanted in ("judged", "seen", "dead"):
            yield f"is ignored where {wanted} was due"
        elif wanted == "any" and not tells_the_format(each):
            try:
                parsed = orjson.loads(value)
            except ValueError:
                parsed = None
            if not _names_no_creation(parsed):
                yield f"is ignored though it may be an upload: {value[:500]!r}"


def _wrong_verdicts(each: Case, verdicts: list[SeenVerdict], wanted: str) -> Iterator[str]:
    many = {verdict.of for verdict in verdicts}
    if many != {len(verdicts)}:
        yield f"has {len(verdicts)} verdicts of {sorted(many)}"
    if len({verdict.image for verdict in verdicts}) != len(verdicts):
        yield "has two verdicts of one image"
    if wanted in ("dead", "ignored"):
        yield f"is judged where {wanted} was due"
    if wanted == "judged" and each.document.images not in (None, len(verdicts)):
        yield f"has {len(verdicts)} verdicts for {each.document.images} images"
    if (
        wanted == "judged"
        and each.document.urls
        and [v.url for v in sorted(verdicts, key=_position)] != list(each.document.urls)
    ):
        yield f"shows other URLs: {[verdict.url for verdict in verdicts][:3]}"
    for verdict in verdicts:
        if verdict.error is not None:
            yield f"could not be judged: {verdict.error}"
            break
    if any(verdict.key != each.record.key for verdict in verdicts) and len(each.record.key or b"") < 1024:
        yield "its verdict has another key"


def _position(verdict: SeenVerdict) -> int:
    return int(verdict.image)
