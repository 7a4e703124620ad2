"""`policy backtest` on topics of a real Kafka: all of them to their ends, and nothing is left behind."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from consumer.commands.offsets import NotAnswered
from consumer.commands.policy.backtesting.command import Options, backtest
from consumer.commands.policy.backtesting.progress import watched
from consumer.policy.decide import Deciding
from consumer.policy.schema import load_policy
from consumer.verdicts.encode import Encoding
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.kafka.admin import admin_client
from tests.rig.verdicts import published, uploads

APART = 86_400.0 / 4  # seconds between two verdicts


@pytest.fixture
def policies(tmp_path: Path) -> tuple[Path, Path]:
    current, candidate = tmp_path / "current.yaml", tmp_path / "candidate.yaml"
    current.write_text(yaml.safe_dump({"policy": "test", "version": 1}))
    candidate.write_text(
        yaml.safe_dump({"policy": "test", "version": 2, "route": {"medium": "block", "low": "review"}})
    )
    return current, candidate


def configuration(folder: Path, kafka: KafkaCluster, topic: str) -> Path:
    outputs = {each: f"{topic}.{each}" for each in ("block", "review", "pass", "dead_letter")}
    path = folder / "consumer.yaml"
    path.write_text(
        yaml.safe_dump({"kafka": {"bootstrap_servers": kafka.bootstrap_servers, "outputs": outputs, "topics": [topic]}})
    )
    return path


def result_of(policies: tuple[Path, Path], **options: Any) -> dict[str, Any]:
    current, candidate = policies
    asked = Options(current=current, candidate=candidate, **options)
    return backtest(asked, {}, lambda total: watched(Console(stderr=True), total))


async def test_topics_and_files_say_the_same(
    kafka: KafkaCluster, topic: str, tmp_path: Path, policies: tuple[Path, Path]
) -> None:
    """
    All three topics, to the end of each partition, from `since` on; what is no verdict is counted; no group is left.
    """
    config = configuration(tmp_path, kafka, topic)
    for decision in ("block", "review", "pass"):
        await kafka.create_topic(f"{topic}.{decision}", partitions=3, configs={"retention.ms": "-1"})
    deciding, encoding = Deciding(load_policy(policies[0])), Encoding(group="group")
    by_topic: dict[str, list[NewRecord]] = {}
    values = []
    for each in uploads(240, harmless=0.4, apart=APART):
        verdict, encoded = published(each, deciding, encoding)
        values.append(encoded.value or b"")
        record = NewRecord(encoded.value, encoded.key, encoded.headers, timestamp=round(each.decided * 1000))
        by_topic.setdefault(f"{topic}.{verdict.decision}", []).append(record)
    for name, records in by_topic.items():
        await publish(kafka.bootstrap_servers, name, [*records, NewRecord(b"no JSON"), NewRecord(None, b"k")])
    (tmp_path / "verdicts.jsonl").write_bytes(b"\n".join(values))

    from_topics = await asyncio.to_thread(result_of, policies, config=config, since="9999w")
    from_file = await asyncio.to_thread(result_of, policies, verdicts=[tmp_path / "verdicts.jsonl"])
    recent = await asyncio.to_thread(result_of, policies, config=config, since=_days_until_half())

    assert from_topics["matrix"] == from_file["matrix"]
    for name in ("flips", "reviews", "labels", "tenants", "confidences", "rules", "people", "period"):
        assert from_topics[name] == from_file[name]
    assert from_topics["records"]["read"] == 240 + 6
    assert from_topics["records"]["left_out"] == {"not_a_verdict": 6}
    assert 0 < recent["records"]["replayed"] < 240
    async with admin_client(kafka.bootstrap_servers) as admin:
        assert [group for group, *_ in await admin.list_consumer_groups() if "test" not in group] == []


def _days_until_half() -> str:
    """So long ago that half of the verdicts are older."""
    import time

    from tests.rig.verdicts import BEGAN

    return f"{round((time.time() - BEGAN - 120 * APART) / 86_400)}d"


async def test_a_topic_that_is_not_there_is_named_and_not_made(
    kafka: KafkaCluster, topic: str, tmp_path: Path, policies: tuple[Path, Path]
) -> None:
    """
    A broker that makes topics on first use must not be asked for it by name.
    """
    config = configuration(tmp_path, kafka, topic)

    with pytest.raises(NotAnswered, match=rf"there is no topic {topic}\.block, {topic}\.review, {topic}\.pass"):
        await asyncio.to_thread(result_of, policies, config=config)

    async with admin_client(kafka.bootstrap_servers) as admin:
        assert [each for each in await admin.list_topics() if each.startswith(topic)] == []
