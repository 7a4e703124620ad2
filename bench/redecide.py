"""
What it costs to decide again what is published, and that each flip is published once: `python -m bench.redecide`.

Signed verdicts of one policy, as the service writes them, lie on a real Kafka. The command lists what another policy
would decide otherwise, publishes it while it is killed (SIGKILL) again and again, and goes back to the first policy.
Times are of the command's CPU. Ends with status 1 where a flip is missing or there twice, or a bound does not hold.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import uvloop
import yaml
from aiokafka import AIOKafkaProducer

from consumer.commands.policy.redecide.chains import BYTES, Chains
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.policy.decide import Deciding
from consumer.policy.schema import load_policy
from consumer.records import Assessment, Label, ModerationResult, Verdict
from consumer.verdicts.encode import Encoding
from tests.rig.events import delivery, submission
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing, read_all
from tests.rig.replica import ROOT, surroundings

GROUP = "bench-redecide"
KEY = b"k" * 32
TOPICS = {"block": "bench.block", "review": "bench.review", "pass": "bench.pass", "dead_letter": "bench.dead"}
PARTITIONS = 4
CHUNK = 2_000  # verdicts
A = "policy: a\nversion: 1\n"
B = "policy: b\nversion: 2\nrules: [{id: art, match: {label: [art]}, then: review}]\n"
LEAST_RATE = 5_000  # verdicts a second of CPU, start and both passes, where nothing flips


class Run(NamedTuple):
    """What one run of the command came to."""

    told: int  # flips
    summary: dict[str, Any]  # empty where it was killed
    seconds: float
    cpu: float
    peak: float  # MiB


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.redecide", description="deciding again what is published")
    parser.add_argument("--verdicts", type=int, default=100_000)
    parser.add_argument("--one-in", type=int, default=20, help="of which one flips")
    parser.add_argument("--kills", type=int, default=3, help="of the run that publishes")
    options = parser.parse_args()
    try:
        sys.exit(uvloop.run(bench(options.verdicts, options.one_in, options.kills)))
    except (DownloadFailed, StartFailed, ToolMissing) as error:
        sys.exit(str(error))


async def bench(verdicts: int, one_in: int, kills: int) -> int:
    """Run all of it, print a table, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        async with KafkaCluster.start(brokers=1) as kafka:
            return await on(kafka, Path(folder), verdicts, one_in, kills)


async def on(kafka: KafkaCluster, folder: Path, verdicts: int, one_in: int, kills: int) -> int:
    for name in TOPICS.values():
        await kafka.create_topic(name, partitions=PARTITIONS, replication=1)
    config, a, b = written(folder, kafka.bootstrap_servers)
    flips = await publish(kafka.bootstrap_servers, a, verdicts, one_in)
    listed = await run(config, b)
    killed = [await run(config, b, "--apply", "--rate", "2000", after=flips // (kills + 1)) for _ in range(kills)]
    to_b = await run(config, b, "--apply", "--rate", "100000")
    again, to_a, twice = [await run(config, each, "--apply", "--rate", "100000") for each in (b, a, a)]
    print(f"{verdicts:,} verdicts, of which {flips:,} flip; {kills} kills\n")
    print("| run | flips told | published | seconds | CPU of a verdict | peak of memory |\n|---|---|---|---|---|---|")
    names = ["list", *["killed"] * kills, "repeated", "repeated again", "back", "back again"]
    for name, each in zip(names, [listed, *killed, to_b, again, to_a, twice], strict=True):
        published = each.summary.get("published")
        print(
            f"| {name} | {each.told:,} | {'–' if published is None else f'{published:,}'} | {each.seconds:.1f} "
            f"| {each.cpu / verdicts * 1e6:.0f} µs | {each.peak:,.0f} MiB |"
        )
    print(f"\na verdict that took another's place: {remembered():.0f} bytes of memory, said to be at most {BYTES}")
    wrong = [*faults(listed, to_b, again, to_a, twice, flips), *await chains(kafka, flips)]
    if (rate := verdicts / again.cpu) < LEAST_RATE:
        wrong.append(f"{rate:,.0f} verdicts a second, not {LEAST_RATE:,}")
    if remembered() > BYTES:
        wrong.append("more memory than is said")
    print("\n".join(wrong))
    return int(bool(wrong))


def faults(listed: Run, to_b: Run, again: Run, to_a: Run, twice: Run, flips: int) -> Iterator[str]:
    """What the runs' own numbers have wrong."""
    if listed.told != flips:
        yield f"listed {listed.told} flips, not {flips}"
    if again.summary["published"] or twice.summary["published"]:
        yield "a repetition published something"
    if to_a.summary["published"] != flips:
        yield f"back: {to_a.summary['published']} published, not {flips}"
    if to_b.summary["published"] > flips:
        yield "more were published than flip"


async def chains(kafka: KafkaCluster, flips: int) -> Iterator[str]:
    """What stands in the topics and should not, or the other way round."""
    ids: Counter[str] = Counter()
    decided: dict[int, dict[int, str]] = {}
    for name in ("block", "review", "pass"):
        for record in await read_all(kafka.bootstrap_servers, TOPICS[name]):
            verdict = orjson.loads(record.value)
            ids[verdict["verdict_id"]] += 1
            decided.setdefault(verdict["event"]["offset"], {})[verdict["sequence"]] = verdict["decision"]
    long = [each for each in decided.values() if len(each) > 1]
    found = []
    if max(ids.values()) > 1:
        found.append(f"{sum(count > 1 for count in ids.values())} verdicts stand there twice")
    if len(long) != flips or any(each != {1: "block", 2: "review", 3: "block"} for each in long):
        found.append(f"{len(long)} chains, not {flips}; or not to and fro")
    return iter(found)


def written(folder: Path, servers: str) -> tuple[Path, Path, Path]:
    """Write the configuration and both policies."""
    config, key, a, b = (folder / name for name in ("consumer.yaml", "key", "a.yaml", "b.yaml"))
    key.write_bytes(KEY)
    a.write_text(A)
    b.write_text(B)
    kafka = {"bootstrap_servers": servers, "group_id": GROUP, "topics": ["bench.uploads"], "outputs": TOPICS}
    config.write_text(yaml.safe_dump({"kafka": kafka, "identity": {"sign": "k", "keys": {"k": str(key)}}}))
    return config, a, b


async def publish(servers: str, policy: Path, verdicts: int, one_in: int) -> int:
    """Publish what a policy decides about images, of which one in so many will flip; say how many those are."""
    deciding, encoding, keyring = Deciding(load_policy(policy)), Encoding(group=GROUP), Keyring({"k": KEY}, "k")
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=262_144) as producer:
        for begin in range(0, verdicts, CHUNK):
            sent = []
            for offset in range(begin, min(begin + CHUNK, verdicts)):
                decided = verdict(deciding, offset, "art" if offset % one_in == 0 else "violent_gun")
                record, topic, read = encoding.verdict(decided), TOPICS[decided.decision], decided.submission.delivery
                source = Source(decided.submission.id, read.topic_partition, read.offset)
                claim = Claim(GROUP, OF_VERDICT, source, topic, record.key, record.value)
                headers = [*record.headers, (HEADER, keyring.sign(claim, time.time(), None))]
                sent.append(await producer.send(topic, record.value, key=record.key, headers=headers))
            await asyncio.gather(*sent)
    return -(-verdicts // one_in)


def verdict(deciding: Deciding, offset: int, label: str) -> Verdict:
    result = ModerationResult(
        service="baselineCheck_global", request_id="R", risk_level="high", labels=(Label(label, 90.0, "high"),)
    )
    about = submission(delivery(offset=offset, key=f"u_{offset}".encode()))
    named = replace(about, id=f"{offset:032x}", event_id=f"event-{offset}")  # type: ignore[arg-type]
    return deciding.decide(named, Assessment(answers=(result,)), time.time())


async def run(config: Path, candidate: Path, *options: str, after: int | None = None) -> Run:
    """Run the command, and kill it once it has told of so many flips."""
    return await asyncio.to_thread(_run, config, candidate, options, after)


def _run(config: Path, candidate: Path, options: Sequence[str], after: int | None) -> Run:
    began = time.monotonic()
    command = [sys.executable, "-m", "consumer", "policy", "redecide", str(candidate), "--config", str(config)]
    process = subprocess.Popen([*command, "--json", *options], cwd=ROOT, env=surroundings(), stdout=subprocess.PIPE)
    assert process.stdout is not None
    told, last = 0, b""
    for line in process.stdout:
        told, last = told + 1, line
        if told == after:
            process.kill()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    was_killed = after is not None and process.returncode == -9
    if process.returncode not in (0, -9):
        raise SystemExit(f"the command ended with {process.returncode}")
    summary = {} if was_killed else orjson.loads(last)
    cpu = used.ru_utime + used.ru_stime
    return Run(told - (not was_killed), summary, time.monotonic() - began, cpu, used.ru_maxrss / 1024)


def remembered() -> float:
    """Bytes of memory for a verdict that took another's place."""
    count = 100_000
    tracemalloc.start()
    chains = Chains(1 << 40)
    for number in range(count):
        event = {"topic": "uploads", "partition": 0, "offset": number}
        chains.note(
            {"event": event, "image": {"id": "0"}, "decision": "block", "decided_by": "policy", "sequence": 2,
             "verdict_id": f"{number:032x}"}
        )  # fmt: skip
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / count


if __name__ == "__main__":
    main()
