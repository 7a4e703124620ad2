"""`check` as an operator runs it: a line for each thing, all that can be looked at, status 1 if anything is wrong."""

import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from consumer.alibaba.empty_call import EmptyCall
from consumer.commands.check.provider import look_at_provider
from consumer.config.credentials import load_credentials
from consumer.config.provider import ProviderSettings, RegionUrl
from consumer.emulator import Emulator, EmulatorSettings, running
from tests.commands.cli import Ended, command
from tests.rig.emulated import KEY
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.kafka.admin import admin_client
from tests.rig.outcomes import OUTCOMES
from tests.rig.replica import ROOT

DEAD_LETTERS = {"max.message.bytes": str(1_048_588 + 16_384)}
SOON = 30.0  # seconds: what `check` promises, whatever does not answer


def by_subject(ended: Ended) -> dict[str, tuple[str, str]]:
    """Level and text of the worst line about each subject."""
    found: dict[str, tuple[str, str]] = {}
    ranks = ["ok", "skipped", "warning", "wrong"]
    for line in ended.output.splitlines():
        level, subject, text = re.split(r"\s{2,}", line, maxsplit=2)
        if subject not in found or ranks.index(level) > ranks.index(found[subject][0]):
            found[subject] = (level, text)
    return found


async def topics(
    kafka: KafkaCluster, topic: str, *, partitions: int = 4, uploads: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Create every topic as it should be, and return the section of the configuration that names them."""
    outputs = {name: f"{topic}.{name}" for name in OUTCOMES}
    await kafka.create_topic(topic, partitions=partitions, configs=uploads)
    for name, output in outputs.items():
        await kafka.create_topic(output, configs=DEAD_LETTERS if name == "dead_letter" else None)
    return {
        "bootstrap_servers": kafka.bootstrap_servers, "group_id": topic, "topics": [topic], "outputs": outputs,
    }  # fmt: skip


async def checked(folder: Path, config: Mapping[str, Any], *arguments: str, key: Mapping[str, str] = KEY) -> Ended:
    file = folder / "consumer.yaml"
    file.write_text(yaml.safe_dump({"policy": str(ROOT / "config" / "policy.yaml"), **config}))
    return await command("check", "--config", str(file), *arguments, environment=key)


def provider(emulator: Emulator, **more: Any) -> dict[str, Any]:
    return {"endpoint": emulator.url, **more}


async def test_what_is_right_is_said_in_a_line_each(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    Everything is named, the status is 0, and nothing was billed, created or committed.
    """
    section = await topics(kafka, topic)
    async with admin_client(kafka.bootstrap_servers) as admin:
        before = set(await admin.list_topics())
    async with running(EmulatorSettings()) as emulator:
        ended = await checked(tmp_path, {"kafka": section, "provider": provider(emulator)})
        calls = [(call.action, call.code, call.billed) for call in emulator.calls]
    async with admin_client(kafka.bootstrap_servers) as admin:
        after = set(await admin.list_topics())

    found = by_subject(ended)
    assert ended.status == 0, ended.output
    assert calls == [("ImageModeration", 400, False)]
    assert after - before <= {"__consumer_offsets"}  # Kafka makes it when anybody asks for any group
    assert {subject for subject, (level, _) in found.items() if level == "ok"} == {
        "configuration", "policy", "policy reload", "credentials", "identity", "calls in flight", "bindings", "broker",
        "dead letters", "quota", f"retention of {topic}", "provider ap-southeast-1", "clock",
    }  # fmt: skip
    assert found[f"topic {topic}"][0] == "warning"  # one broker, one replica
    assert found[f"sources of {topic}"][0] == "warning"  # nothing is said of its producers
    assert found["provider.endpoint"][0] == found["writers"][0] == "warning"  # an emulator, and no authorizer
    assert {subject for subject, (level, _) in found.items() if level == "warning"} <= {
        "provider.endpoint", "writers", f"sources of {topic}",
        *(f"topic {name}" for name in (topic, *section["outputs"].values())),
    }  # fmt: skip


async def test_a_wrong_key_is_told_without_a_paid_call(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    The provider's word for it, what to look at, and no part of the key.
    """
    section = await topics(kafka, topic)
    async with running(EmulatorSettings()) as emulator:
        config = {"kafka": section, "provider": provider(emulator)}
        secret = await checked(tmp_path, config, key={**KEY, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary-secret"})
        unknown = await checked(tmp_path, config, key={**KEY, "ALIBABA_CLOUD_ACCESS_KEY_ID": "canary-id"})

    about = "provider ap-southeast-1"
    assert (secret.status, unknown.status) == (1, 1)
    assert by_subject(secret)[about][1].startswith("SignatureDoesNotMatch: the secret is not this key's")
    assert by_subject(unknown)[about][1].startswith("InvalidAccessKeyId.NotFound: no such access key")
    assert by_subject(secret)["clock"][0] == by_subject(secret)["broker"][0] == "ok"
    assert "canary" not in secret.output + secret.errors + unknown.output + unknown.errors


async def test_a_missing_topic_is_named_with_the_command_that_creates_it(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    The other topics are looked at all the same, and the missing one is not created by looking.
    """
    section = await topics(kafka, topic)
    section["outputs"]["review"] = f"{topic}.missing"

    ended = await checked(tmp_path, {"kafka": section})
    again = await checked(tmp_path, {"kafka": section})

    level, text = by_subject(ended)[f"topic {topic}.missing"]
    assert (ended.status, level) == (1, "wrong")
    assert f"kafka-topics.sh --bootstrap-server {kafka.bootstrap_servers} --create --topic {topic}.missing" in text
    assert by_subject(ended)["dead letters"][0] == "ok"
    assert by_subject(again)[f"topic {topic}.missing"] == (level, text)


async def test_a_broker_that_is_away_is_said_once(tmp_path: Path) -> None:
    """
    What needs it is skipped by name, the provider is looked at, and it does not take long.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()

    async with running(EmulatorSettings()) as emulator:
        ended = await checked(
            tmp_path, {"kafka": {"bootstrap_servers": f"127.0.0.1:{port}"}, "provider": provider(emulator)}
        )

    found = by_subject(ended)
    assert ended.status == 1
    assert ended.errors == ""
    assert found["broker"][0] == "wrong"
    assert found["Kafka"] == ("skipped", "topics, dead letters, quota and retention need the broker")
    assert found["provider ap-southeast-1"][0] == "ok"
    assert ended.output.count("127.0.0.1:") == 1
    assert time.monotonic() - began < SOON


@pytest.mark.scenario
@pytest.mark.kafka
@pytest.mark.parametrize("away", ["stopped", "frozen"])
async def test_a_broker_that_was_there_is_missed(away: str, topic: str, tmp_path: Path) -> None:
    """
    Stopped or frozen, it is said once, and within its deadline.
    """
    async with KafkaCluster.start() as cluster:
        section = await topics(cluster, topic)
        before = await checked(tmp_path, {"kafka": section})
        if away == "stopped":
            await cluster.stop_broker(1)
        else:
            cluster.suspend_broker(1)
        began = time.monotonic()

        after = await checked(tmp_path, {"kafka": section})

    assert by_subject(before)["broker"] == ("ok", f"{cluster.bootstrap_servers} answers")
    assert by_subject(after)["broker"][0] == "wrong"
    assert by_subject(after)["Kafka"][0] == "skipped"
    assert time.monotonic() - began < 30


@pytest.mark.scenario
async def test_a_broker_that_accepts_and_never_answers_ends_in_time(tmp_path: Path) -> None:
    """
    So does a provider that does: everything has its deadline.
    """
    began = time.monotonic()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ended = await checked(
            tmp_path,
            {"kafka": {"bootstrap_servers": f"127.0.0.1:{port}"}, "provider": {"endpoint": f"http://127.0.0.1:{port}"}},
        )

    assert ended.status == 1
    assert by_subject(ended)["broker"][0] == "wrong"
    assert "does not answer within" in by_subject(ended)["provider ap-southeast-1"][1]
    assert time.monotonic() - began < 30


async def test_a_policy_with_a_typo_leaves_the_rest_to_be_looked_at(tmp_path: Path) -> None:
    """
    The file and the key are named; the provider is asked about its default service.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text((ROOT / "config" / "policy.yaml").read_text().replace("strict_recall", "strict_recal"))
    line = policy.read_text().partition("\nstrict_recal:")[0].count("\n") + 2

    async with running(EmulatorSettings()) as emulator:
        ended = await checked(tmp_path, {"policy": str(policy), "provider": provider(emulator)})

    found = by_subject(ended)
    assert ended.status == 2
    assert found["policy"] == (
        "wrong",
        f"{policy}:{line}: strict_recal: is not a setting; did you mean strict_recall?",
    )
    assert found["provider ap-southeast-1"][0] == "ok"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("8", {"policy in shadow": ("ok", "{file}: next, version 8")}),
        (
            "-8",
            {"policy": ("wrong", "{file}:2: version: must be a whole number from 0 to 9007199254740991 (given: -8)")},
        ),
    ],
)
async def test_a_policy_in_shadow_is_looked_at_too(
    tmp_path: Path, version: str, expected: dict[str, tuple[str, str]]
) -> None:
    """
    Its name and version are told; or what is wrong with it, with file and line, as `run` would.
    """
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(f"policy: next\nversion: {version}\n")
    files = {"file": str(ROOT / "config" / "policy.yaml"), "shadow": "candidate.yaml"}

    async with running(EmulatorSettings()) as emulator:
        found = by_subject(await checked(tmp_path, {"policy": files, "provider": provider(emulator)}))

    for subject, (status, text) in expected.items():
        assert found[subject] == (status, text.format(file=candidate))


@pytest.mark.parametrize(
    ("decision", "reload", "expected"),
    [
        (
            "pass",
            {"reload": 5},
            {
                "policy tests": ("ok", "{tests}: the policy passes them"),
                "policy reload": (
                    "ok",
                    "on: the files are looked at every 5 s, and a change takes effect without a restart",
                ),
            },
        ),
        (
            "block",
            {},
            {
                "policy": (
                    "wrong",
                    "{tests}:1: the test 'nothing found' fails: decision: expected block, got pass (by default:none)",
                )
            },
        ),
    ],
)
async def test_it_says_whether_the_policy_passes_its_tests_and_is_reloaded(
    tmp_path: Path, decision: str, reload: dict[str, float], expected: dict[str, tuple[str, str]]
) -> None:
    """
    One that fails a test is refused, as `run` would.
    """
    tests = tmp_path / "policy.tests.yaml"
    answer = "{RiskLevel: none, Result: [{Label: nonLabel}]}"
    tests.write_text(f"- {{name: nothing found, answer: {answer}, decision: {decision}}}\n")
    files = {"file": str(ROOT / "config" / "policy.yaml"), "tests": tests.name, **reload}

    async with running(EmulatorSettings()) as emulator:
        ended = await checked(tmp_path, {"policy": files, "provider": provider(emulator)})

    found = by_subject(ended)
    for subject, (status, text) in expected.items():
        assert found[subject] == (status, text.format(tests=tests))


async def test_an_unknown_key_leaves_the_rest_to_be_looked_at(tmp_path: Path) -> None:
    """
    It is left out, and everything else in its section counts.
    """
    async with running(EmulatorSettings()) as emulator:
        ended = await checked(tmp_path, {"quota": {"qsp": 5, "qps": 400}, "provider": provider(emulator)})

    found = by_subject(ended)
    assert ended.status == 2
    assert found["configuration"] == (
        "wrong",
        f"{tmp_path / 'consumer.yaml'}:6: quota.qsp: is not a setting; did you mean quota.qps?",
    )
    assert "set it to 180 or more" in found["calls in flight"][1]
    assert found["provider ap-southeast-1"][0] == "ok"


async def test_a_wrong_section_leaves_out_what_it_concerns(tmp_path: Path) -> None:
    """
    Nobody is asked under a default that the operator did not choose.
    """
    async with running(EmulatorSettings()) as emulator:
        ended = await checked(
            tmp_path, {"kafka": {"session_timeout": "soon"}, "provider": provider(emulator), "bindings": [{}]}
        )

    found = by_subject(ended)
    assert ended.status == 2
    assert found["Kafka"][0] == found["bindings"][0] == "skipped"
    assert "broker" not in found
    assert found["provider ap-southeast-1"][0] == "ok"


async def test_a_file_that_cannot_be_read_leaves_nothing_to_look_at(tmp_path: Path) -> None:
    """
    It says so, and asks nobody.
    """
    ended = await command("check", "--config", str(tmp_path / "none.yaml"))

    assert ended.status == 2
    assert by_subject(ended)["configuration"][1].endswith("none.yaml: cannot be read: No such file or directory")
    assert by_subject(ended)["everything else"][0] == "skipped"


async def test_more_partitions_than_calls_are_refused(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    Each partition needs a call a second of its own.
    """
    section = await topics(kafka, topic, partitions=6)

    too_many = await checked(tmp_path, {"kafka": section, "quota": {"qps": 5}})
    enough = await checked(tmp_path, {"kafka": section, "quota": {"qps": 6}})

    assert by_subject(too_many)["quota"] == (
        "wrong",
        "lane default: 6 input partitions share 5 calls a second, and each needs at least one: raise quota.qps or the "
        "lane's weight, or read topics with fewer partitions",
    )
    assert by_subject(enough)["quota"][0] == "ok"


async def test_dead_letters_must_fit(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    The command that mends it, pasted, makes it right.
    """
    section = await topics(kafka, topic, uploads={"max.message.bytes": "2000000"})
    config = {"kafka": {**section, "max_message_bytes": 2_000_000}}

    ended = await checked(tmp_path, config)

    level, text = by_subject(ended)["dead letters"]
    assert level == "wrong"
    assert f"--entity-name {topic}.dead_letter --add-config max.message.bytes=2016384" in text


async def test_retention_is_compared_with_what_waits(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    A message that has waited for an hour has an hour less to live, and looking commits nothing.
    """
    section = await topics(kafka, topic, uploads={"retention.ms": str(4 * 3_600_000)})
    hour_ago = round((time.time() - 3_600) * 1000)
    await publish(kafka.bootstrap_servers, topic, [NewRecord(orjson.dumps({}), timestamp=hour_ago)] * 3)

    too_long = await checked(tmp_path, {"kafka": section}, "--outage", "3.5")
    short = await checked(tmp_path, {"kafka": section}, "--outage", "2")

    about = f"retention of {topic}"
    assert by_subject(too_long)[about][0] == "wrong"
    text = by_subject(too_long)[about][1]
    assert text.startswith("messages are kept for 4 h; 3 are waiting, the oldest for 60 min, which leaves 3 h of")
    assert by_subject(short)[about][0] == "ok"


async def test_a_clock_that_is_off_is_said() -> None:
    """
    The difference to the provider's own time, before the provider refuses calls for it.
    """
    async with running(EmulatorSettings()) as emulator:
        regions = (RegionUrl("ap-southeast-1", emulator.url),)
        key = EmptyCall(load_credentials(KEY, ProviderSettings()))
        late = await look_at_provider(regions, ("baselineCheck_global",), key, lambda: time.time() - 330.0)
        later = await look_at_provider(regions, ("baselineCheck_global",), key, lambda: time.time() + 1_200.0)

    assert [(each.level, each.about) for each in late] == [("ok", "provider ap-southeast-1"), ("warning", "clock")]
    assert late[1].text.startswith("this machine is 5.5 min behind the provider")
    assert [(each.level, each.about) for each in later] == [("wrong", "provider ap-southeast-1"), ("wrong", "clock")]
    assert later[0].text.startswith("InvalidTimeStamp.Expired: the date of the call is refused")
