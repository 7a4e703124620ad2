"""
What a backtest costs, and whether it says what the service decides: `python -m bench.backtest`.

Publishes verdicts (decided and encoded by the service's own code) to a real Kafka, and writes the same ones as JSON
lines and as Parquet. Each is read by `policy backtest` in a process of its own, of which CPU and memory are measured.
Then images go both ways: by the service under the candidate, and by the replay of what was published under the current
policy. Ends with status 1 where a bound does not hold, or anything differs. Needs the extras `backtest` and `demo`.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml
from confluent_kafka import Producer

from consumer.policy.backtest.alike import Kinds
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, load_policy
from consumer.records import STRICTNESS
from consumer.verdicts.encode import Encoded, Encoding
from tests.rig.kafka import KafkaCluster
from tests.rig.verdicts import Uploaded, published, uploads

FROM_FILES, FROM_KAFKA = 30_000, 20_000  # records a second and core, at least
GROWTH = 48.0  # MB that a tenfold number of records may take more
BOTH_WAYS = 10_000  # images
PARTITIONS = 6
_DIFFERENT = ("source",)  # members of a result that may differ between sources


class Measured(NamedTuple):
    """A run of the command."""

    about: str
    records: int
    seconds: float
    cpu: float  # seconds, without those that an empty run takes
    peak: float  # MB
    result: dict[str, Any]

    @property
    def rate(self) -> float:
        """Records a second and core."""
        return self.records / self.cpu


def main() -> None:
    """Parse the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description="What a backtest costs")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--both-ways", type=int, default=BOTH_WAYS, help="images decided by service and replay")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        sys.exit(asyncio.run(_measure(Path(folder), options.records, options.both_ways)))


async def _measure(folder: Path, records: int, both_ways: int) -> int:
    current, candidate = written(folder)
    problems = list(differences(load_policy(current), load_policy(candidate), both_ways))
    print(f"{both_ways:,} images both ways: {'all the same' if not problems else problems[:5]}", flush=True)
    lines = folder / "verdicts.jsonl"
    async with KafkaCluster.start(brokers=1) as kafka:
        outputs = {each: f"bench.{each}" for each in ("block", "review", "pass", "dead_letter")}
        for topic in outputs.values():
            await kafka.create_topic(topic, partitions=PARTITIONS, configs={"retention.ms": "-1"})
        began = time.monotonic()
        await asyncio.to_thread(_publish, kafka.bootstrap_servers, outputs, lines, current, records)
        print(f"{records:,} verdicts published and written in {time.monotonic() - began:.0f} s", flush=True)
        config = folder / "consumer.yaml"
        config.write_text(yaml.safe_dump({"kafka": {"bootstrap_servers": kafka.bootstrap_servers, "outputs": outputs}}))
        run = Runs(folder, current, candidate)
        from_kafka = run("Kafka", "--config", str(config), "--since", "9999w", records=records)
    tenth = folder / "tenth.jsonl"
    with lines.open("rb") as all_of_them, tenth.open("wb") as file:
        file.writelines(line for line, _ in zip(all_of_them, range(records // 10), strict=False))
    from_tenth = run("JSON lines, a tenth", "--verdicts", str(tenth), records=records // 10)
    from_lines = run("JSON lines", "--verdicts", str(lines), records=records)
    parquet = _parquet(lines, folder / "verdicts.parquet")
    from_parquet = run("Parquet", "--verdicts", str(parquet), records=records)
    measured = [from_kafka, from_lines, from_tenth, from_parquet]
    print(_table(measured))
    problems += list(_problems(from_kafka, from_lines, from_tenth, from_parquet))
    for problem in problems:
        print(f"✗ {problem}")
    return int(bool(problems))


def written(folder: Path) -> tuple[Path, Path]:
    """The current policy and a candidate, as files."""
    paths = folder / "current.yaml", folder / "candidate.yaml"
    for path, version in zip(paths, (1, 2), strict=True):
        path.write_text(yaml.safe_dump(_policy(version)))
    return paths


def _policy(version: int) -> dict[str, Any]:
    """Rules of every form; the candidate's bounds and shares are others, and so are some decisions."""
    moved = 10 * (version - 1)
    return {
        "policy": "bench", "version": version, "strict_recall": False, "unseen_frames": "pass",
        "rules": [
            {"id": "own", "match": {"label": ["*_lib", "!*_tii_lib"], "confidence": {"gte": 90 - moved}},
             "then": "block", "pin": True},
            {"id": "weak", "match": {"label": ["pornographic_*", "!*_tii"], "level": ["high"],
             "confidence": {"lt": 50 + moved}}, "then": "review"},
            {"id": "smoking", "match": {"label": ["inappropriate_smoking"]}, "then": "pass" if moved else "review",
             "why": {"owner": "bench", "reason": "bench", "expires": "2025-11-25"}},
            {"id": "flags", "match": {"label": ["political_*"], "level": ["medium", "high"]}, "then": "block",
             "rollout": 0.2 + moved / 20},
            {"id": "codes", "match": {"label": ["QRCode"]}, "then": "review", "mode": "shadow"},
            *({"id": f"label-{at}", "match": {"label": [f"violent_{at}*"], "level": ["low"]}, "then": "review"}
              for at in range(20)),
        ],
        "overlays": [
            {"when": {"tenant": ["tenant-3"]}, "strict_recall": True, "unseen_frames": "review" if moved else "pass"},
            {"when": {"purpose": ["avatar"]},
             "rules": [{"id": "faces", "match": {"label": ["sexual_*"], "confidence": {"gte": 60 - moved}},
                        "then": "block"}]},
        ],
    }  # fmt: skip


def differences(current: Policy, candidate: Policy, count: int) -> Iterator[str]:
    """Decide about images by the service under each policy, and by replaying what was published under the current."""
    deciding, other = Deciding(current), Deciding(candidate)
    kinds, encoding = Kinds(current, candidate, lambda _: None), Encoding(group="bench")
    for uploaded in uploads(count):
        verdict, encoded = published(uploaded, deciding, encoding)
        expected = other.decide(uploaded.submission, uploaded.assessment, uploaded.decided)
        kind = kinds.of(orjson.loads(encoded.value or b""))
        if (kind.current, kind.candidate) != (STRICTNESS[verdict.decision], STRICTNESS[expected.decision]):
            yield f"{uploaded.submission.event_id}: {verdict.decision}, {expected.decision}, replayed {kind.cell}"


def _publish(servers: str, outputs: dict[str, str], lines: Path, current: Path, records: int) -> None:
    """Publish to the topic of each decision, and write the same values, both in the order of the uploads."""
    producer = Producer(
        {
            "bootstrap.servers": servers, "linger.ms": 50, "batch.size": 1_000_000, "enable.idempotence": True,
            "queue.buffering.max.messages": 100_000,
        }
    )  # fmt: skip
    deciding, encoding = Deciding(load_policy(current)), Encoding(group="bench")
    failed: list[str] = []

    def acknowledged(error: Any, _: Any) -> None:
        if error is not None:
            failed.append(str(error))

    with lines.open("wb") as file:
        for uploaded in uploads(records):
            verdict, encoded = published(uploaded, deciding, encoding)
            file.write((encoded.value or b"") + b"\n")
            _produce(producer, outputs[verdict.decision.value], encoded, uploaded, acknowledged)
    left = producer.flush(120)
    if failed or left:
        raise SystemExit(f"{left} records were not published; {failed[:1]}")


def _produce(producer: Producer, topic: str, encoded: Encoded, uploaded: Uploaded, acknowledged: Any) -> None:
    while True:
        try:
            producer.produce(
                topic, encoded.value, encoded.key, headers=list(encoded.headers),
                timestamp=round(uploaded.decided * 1000), on_delivery=acknowledged,
            )  # fmt: skip
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


class Runs:
    """Runs the command, each time in a process of its own."""

    def __init__(self, folder: Path, current: Path, candidate: Path) -> None:
        self._folder, self._policies = folder, (str(candidate), "--against", str(current))
        empty = folder / "one.jsonl"
        empty.write_bytes(next(iter(_values(current, 1))) + b"\n")
        self._startup = 0.0
        self._startup = self("start", "--verdicts", str(empty), records=1).cpu

    def __call__(self, about: str, *arguments: str, records: int) -> Measured:
        command = [sys.executable, "-m", "consumer", "policy", "backtest", *self._policies, *arguments, "--json", "-"]
        with (self._folder / "result.json").open("w+b") as output:
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=output)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - began
            output.seek(0)
            said = output.read()
        if process.returncode:
            raise SystemExit(f"{about}: exit status {process.returncode}")
        result = orjson.loads(said)
        if result["records"]["read"] != records:
            raise SystemExit(f"{about}: {result['records']['read']:,} of {records:,} records were read")
        cpu = used.ru_utime + used.ru_stime - self._startup
        return Measured(about, records, seconds, cpu, used.ru_maxrss / 1024, result)


def _values(current: Path, count: int) -> Iterator[bytes]:
    deciding, encoding = Deciding(load_policy(current)), Encoding(group="bench")
    for uploaded in uploads(count):
        yield published(uploaded, deciding, encoding)[1].value or b""


def _parquet(lines: Path, path: Path) -> Path:
    """The same verdicts with a column for each of their members, as archives have them."""
    import duckdb

    with duckdb.connect(":memory:", config={"memory_limit": "2GB"}) as database:
        reading = f"read_json('{lines}', format='newline_delimited', sample_size=20000, maximum_object_size=1000000)"
        database.execute(f"COPY (SELECT * FROM {reading}) TO '{path}' (FORMAT parquet)")
    return path


def _table(measured: Sequence[Measured]) -> str:
    rows = [
        f"| {each.about} | {each.records:,} | {each.seconds:.1f} s | {each.cpu:.1f} s | {each.rate:,.0f} | "
        f"{2 * each.rate:,.0f} | {each.peak:.0f} MB |"
        for each in measured
    ]
    head = "| source | records | time | CPU | records a second and core | decisions a second and core | memory |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *rows])


def _problems(kafka: Measured, lines: Measured, tenth: Measured, parquet: Measured) -> Iterator[str]:
    for measured, least in ((kafka, FROM_KAFKA), (lines, FROM_FILES)):
        if measured.rate < least:
            yield f"{measured.about}: {measured.rate:,.0f} records a second and core, at least {least:,} are due"
    if lines.peak - tenth.peak > GROWTH:
        yield f"memory grows by {lines.peak - tenth.peak:.0f} MB, {GROWTH:.0f} are allowed"
    for other in (lines, parquet):
        differing = [
            name for name, value in _comparable(kafka.result).items() if _comparable(other.result)[name] != value
        ]
        if differing:
            yield f"{other.about} and {kafka.about} differ in {', '.join(differing)}"


def _comparable(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what says where it came from."""
    for stratum in result["samples"]:
        for image in stratum["images"]:
            image.pop("at", None)
    return {name: value for name, value in result.items() if name not in _DIFFERENT}


if __name__ == "__main__":
    main()
