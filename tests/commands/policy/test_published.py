"""`policy lint --published`: the version against that of the policy which decided the newest verdict."""

from pathlib import Path

import orjson
import pytest
import yaml
from aiokafka import AIOKafkaProducer

from consumer.commands.policy.newest_verdict import decided
from consumer.policy.decide import Deciding
from consumer.policy.schema import load_policy
from consumer.records import Assessment
from consumer.verdicts.encode import Encoding
from tests.commands.cli import command
from tests.commands.test_check import topics
from tests.rig.events import submission
from tests.rig.kafka import KafkaCluster, NewRecord, publish


def verdict(policy: Path) -> bytes:
    """One that the policy decides, as the service publishes it."""
    deciding = Deciding(load_policy(policy))
    return Encoding(group="group").verdict(deciding.decide(submission(), Assessment(), 0.0)).value or b""


def by_a_person(verdict: bytes) -> bytes:
    return orjson.dumps({**orjson.loads(verdict), "decided_by": "human"})


def written(folder: Path, version: int, rest: str = "") -> Path:
    path = folder / f"policy-{version}{len(rest)}.yaml"
    path.write_text(f"policy: shop\nversion: {version}\n{rest}")
    return path


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b"1", b'{"schema":"moderation.verdict.v1"}', b'{"schema":"other.v1"}',
     b'{"schema":"moderation.verdict.v1","decided_by":"policy","policy":{"id":"a","version":"x","sha256":""}}'],
)  # fmt: skip
def test_what_is_no_verdict_names_no_policy(value: bytes | None) -> None:
    """
    Whatever else lies in the topics.
    """
    assert list(decided(1, value)) == []


def test_a_person_is_no_policy(tmp_path: Path) -> None:
    """
    What a person decided names the policy that they were shown.
    """
    published = verdict(written(tmp_path, 7))

    assert [(each.moment, each.policy.id, each.policy.version) for each in decided(5, published)] == [(5, "shop", 7)]
    assert list(decided(5, by_a_person(published))) == []


@pytest.mark.kafka
async def test_the_version_must_have_risen_since_the_newest_verdict(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    By the record's time, over all output topics and partitions; an aborted transaction, a marker at the end, a person's
    decision and what is no verdict count for nothing.
    """
    config = tmp_path / "consumer.yaml"
    config.write_text(yaml.safe_dump({"kafka": await topics(kafka, topic)}))
    older, newest, later = (written(tmp_path, version) for version in (6, 8, 9))
    changed = written(tmp_path, 8, "strict_recall: true\n")
    asked = ("policy", "lint", "--published", "--config", str(config))
    empty = await command(*asked, str(changed))

    servers = kafka.bootstrap_servers
    await publish(servers, f"{topic}.review", [NewRecord(verdict(newest), timestamp=2_000)])
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        async with producer.transaction():
            await producer.send(f"{topic}.block", verdict(older), timestamp_ms=1_000)
        await producer.begin_transaction()
        await producer.send_and_wait(f"{topic}.block", verdict(later), timestamp_ms=9_000)
        await producer.abort_transaction()
    rest = [None, b"{", by_a_person(verdict(later))]
    await publish(servers, f"{topic}.pass", [NewRecord(value, b"key", timestamp=5_000) for value in rest])
    same, wrong = [await command(*asked, str(each)) for each in (newest, changed)]

    assert (empty.status, empty.output.splitlines()[0].split("version: ")[1]) == (
        0,
        "was not compared: there is no verdict yet",
    )
    assert (same.status, same.output) == (0, f"{newest}: nothing is wrong\n")
    assert (wrong.status, wrong.output.splitlines()[0]) == (
        1,
        f"✗ P016 unsafe   {changed}:2: version: is 8, and the one that decided the newest verdict has 8 and says "
        "something else: raise it",
    )


async def test_without_a_broker_nothing_is_called_sound(tmp_path: Path) -> None:
    """
    Exit 1, with the setting.
    """
    config = tmp_path / "consumer.yaml"
    config.write_text("kafka: {bootstrap_servers: '127.0.0.1:1'}\n")

    ended = await command("policy", "lint", "--published", "--config", str(config), str(written(tmp_path, 1)))

    assert (ended.status, ended.output) == (1, "")
    assert "kafka.bootstrap_servers: " in ended.errors
