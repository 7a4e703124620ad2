"""
What a take-over costs: how many signed outcomes a second one core reads back, believes and keeps in the journal.

    python -m bench.takeover

Times are of the process's CPU, so whatever else the machine does falls on none of them. Ends with status 1 where a
bound does not hold.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import uvloop
from aiokafka import AIOKafkaProducer, ConsumerRecord

from consumer.clock import SystemClock
from consumer.config.kafka import JournalSettings, KafkaSettings
from consumer.intake.readback import ReadBack
from consumer.intake.windows import Windows
from consumer.journal.belief import Belief
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.journal import Journal
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.kafka.security import KafkaAccess
from consumer.records import (
    Assessment,
    Decision,
    Label,
    ModerationResult,
    Partition,
    PolicyName,
    SourceId,
    Verdict,
)  # fmt: skip
from consumer.verdicts.encode import Encoded, Encoding
from tests.rig.events import delivery, submission
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing

GROUP = "moderation-consumer"
PARTITIONS = 12
CHUNK = 1_000  # records, as one poll brings them
BEGAN = 1_763_632_800.0  # unix seconds
KEYRING = Keyring({"2026-08": b"o" * 32, "2026-11": b"n" * 32}, "2026-11")
MOST_EACH = 10.0  # microseconds to sign an outcome, and to verify it
LEAST_RATE = 40_000  # outcomes a second and core, from Kafka into the journal


class Cost(NamedTuple):
    """What one part came to."""

    about: str
    outcomes: int
    seconds: float  # of CPU

    @property
    def microseconds(self) -> float:
        """CPU for one outcome."""
        return self.seconds / self.outcomes * 1e6

    @property
    def rate(self) -> float:
        """Outcomes a second and core."""
        return self.outcomes / self.seconds

    def __str__(self) -> str:
        return f"| {self.about} | {self.outcomes:,} | {self.microseconds:.1f} µs | {self.rate:,.0f} |"


class Watch:
    """Adds up the CPU seconds of what runs inside it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began


def main() -> None:
    """Parse the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.takeover", description="CPU of reading outcomes back")
    parser.add_argument("--outcomes", type=int, default=400_000, help="how many the outputs hold")
    parser.add_argument("--without-kafka", action="store_true", help="leave the reading from a real Kafka out")
    options = parser.parse_args()
    print("| part | outcomes | CPU of one | a second and core |\n|---|---|---|---|", flush=True)
    costs = []
    try:
        for cost in (*in_memory(options.outcomes), *([] if options.without_kafka else from_kafka(options.outcomes))):
            print(cost, flush=True)
            costs.append(cost)
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    sys.exit(int(any([*map(is_missed, costs)])))


def is_missed(cost: Cost) -> bool:
    """Whether a part costs more than it may."""
    if cost.about in (SIGNING, VERIFYING):
        return cost.microseconds > MOST_EACH
    return cost.about == READING_BACK and cost.rate < LEAST_RATE


SIGNING = "signing"
VERIFYING = "verifying"
KEEPING = "decoded, verified and kept in the journal"
OF_OTHERS = "the same, 11 of 12 of partitions that are not taken over"
READING_BACK = "the whole, read from a real Kafka"
READING_BACK_OTHERS = "the whole, 11 of 12 of partitions that are not taken over"


def settings(bootstrap_servers: str = "127.0.0.1:9") -> KafkaSettings:
    """What the journal is read with."""
    return KafkaSettings(bootstrap_servers=bootstrap_servers, group_id=GROUP, topics=("uploads",))


def reader(kafka: KafkaSettings) -> OutputReader:
    """The journal's own reader, which believes signed outcomes only."""
    return OutputReader(kafka, KafkaAccess(kafka), 5.0, Belief(KEYRING, 0.0, time.time))


def spans(outcomes: int, partitions: int) -> Mapping[Partition, range]:
    """The offsets of the first partitions, which are taken over."""
    return {Partition("uploads", number): range(outcomes) for number in range(partitions)}


class Signable(NamedTuple):
    """An outcome before it is signed."""

    claim: Claim
    record: Encoded


def signables(outcomes: int, topic: str) -> Iterator[Signable]:
    """Verdicts as the service encodes them, but for the value, which is the same in all."""
    encoding = Encoding(group=GROUP)
    first = encoding.verdict(verdict())
    names = {name for name, _ in OF_VERDICT.write(GROUP, SourceId(""), delivery())}
    others = [each for each in first.headers if each[0] not in names]
    for number in range(outcomes):
        read = delivery(offset=number // PARTITIONS, partition=number % PARTITIONS, key=b"user_%d" % number)
        source = Source(SourceId(f"{number:032x}"), read.topic_partition, read.offset)
        headers = [*others, *OF_VERDICT.write(GROUP, source.id, read)]
        yield Signable(
            Claim(GROUP, OF_VERDICT, source, topic, read.key, first.value), Encoded(read.key, first.value, headers)
        )


def verdict() -> Verdict:
    """One that passes an image."""
    answer = ModerationResult(
        service="baselineCheck_global", request_id="6F1B7A2C-0000-0000-0000-000000000000", risk_level="none",
        labels=(Label("nonLabel"),), region="ap-southeast-1", sent=BEGAN, took=0.3,
    )  # fmt: skip
    return Verdict(
        submission=submission(), assessment=Assessment(answers=(answer,), queued=0.01, provider=0.3),
        decision=Decision.PASS, decided_by="policy", risk_level="none", reasons=(), findings=(),
        policy=PolicyName(id="default", version=1, sha256="0" * 64), decided=BEGAN,
    )  # fmt: skip


def signed(each: Signable) -> bytes:
    """The header of an outcome."""
    offset = each.claim.source.offset
    return KEYRING.sign(each.claim, BEGAN + offset / 100, CommitMark(offset, BEGAN))


def in_memory(outcomes: int) -> Iterator[Cost]:
    """Measure the parts without Kafka, in chunks: all records at once would not fit."""
    kafka = settings()
    topic, outputs = kafka.outputs.pass_, reader(kafka)
    signing, verifying, keeping, of_others = Watch(), Watch(), Watch(), Watch()
    all_windows = Windows(Journal(), spans(outcomes, PARTITIONS), outcomes)
    some_windows = Windows(Journal(), spans(outcomes, 1), outcomes)
    for chunk in chunks(signables(outcomes, topic)):
        with signing:
            signatures = [signed(each) for each in chunk]
        with verifying:
            for each, signature in zip(chunk, signatures, strict=True):
                assert KEYRING.read(each.claim, signature) is not None
        records = [as_read(topic, *each) for each in zip(chunk, signatures, strict=True)]
        with keeping:
            keep(outputs, all_windows, records)
        with of_others:
            keep(outputs, some_windows, records)
    yield Cost(SIGNING, outcomes, signing.seconds)
    yield Cost(VERIFYING, outcomes, verifying.seconds)
    yield Cost(KEEPING, outcomes, keeping.seconds)
    yield Cost(OF_OTHERS, outcomes, of_others.seconds)


def chunks(items: Iterator[Signable]) -> Iterator[Sequence[Signable]]:
    """As many at a time as one poll brings."""
    while chunk := [*islice(items, CHUNK)]:
        yield chunk


def as_read(topic: str, each: Signable, signature: bytes) -> ConsumerRecord[Any, Any]:
    """The record as aiokafka returns it."""
    key, value, headers = each.record.key, each.record.value, (*each.record.headers, (HEADER, signature))
    return ConsumerRecord(topic, 0, 0, round(BEGAN * 1000), 0, key, value, None, -1, -1, headers)


def keep(outputs: OutputReader, windows: Windows, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
    """Do with what was read what a take-over does."""
    for record in records:
        found = outputs.outcome(record, lambda _, partition, offset: windows.wants(partition, offset))
        if found is not None:
            windows.note(found.partition, found.offset, found.id, found.at)


def from_kafka(outcomes: int) -> Sequence[Cost]:
    """Measure whole take-overs from a Kafka of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_from_kafka(outcomes))


async def _from_kafka(outcomes: int) -> Sequence[Cost]:
    async with KafkaCluster.start(heap="512m") as cluster:
        kafka = settings(cluster.bootstrap_servers)
        for topic in kafka.outputs.all:
            await cluster.create_topic(topic)
        await publish(kafka, outcomes)
        return [
            await read_back(kafka, outcomes, PARTITIONS, READING_BACK),
            await read_back(kafka, outcomes, 1, READING_BACK_OTHERS),
        ]


async def publish(kafka: KafkaSettings, outcomes: int) -> None:
    """Write signed outcomes as the service does, but for waiting for each."""
    topic = kafka.outputs.pass_
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, max_batch_size=256 * 1024) as producer:
        for each in signables(outcomes, topic):
            headers = [*each.record.headers, (HEADER, signed(each))]
            await producer.send(topic, each.record.value, key=each.record.key, headers=headers)


async def read_back(kafka: KafkaSettings, outcomes: int, partitions: int, about: str) -> Cost:
    """Take the first partitions over, and require that all of their outcomes become known."""
    journal, watch, taken = Journal(), Watch(), spans(outcomes, partitions)
    limits = JournalSettings(max_outcomes=outcomes)
    with watch:
        await ReadBack(reader(kafka), journal, limits, SystemClock()).read(
            dict.fromkeys(taken, BEGAN), taken, lambda: True
        )
    assert len(journal) == len(range(0, outcomes, PARTITIONS)) * partitions or partitions == PARTITIONS
    assert partitions != PARTITIONS or len(journal) == outcomes
    return Cost(about, outcomes, watch.seconds)


if __name__ == "__main__":
    main()
