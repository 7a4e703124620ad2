"""What the service starts from is looked at as a whole, by `run` and by `check`."""

import os
import threading
from pathlib import Path

import pytest

from consumer.commands.check.findings import exit_status, ok, refused, skipped, warning, wrong
from consumer.commands.inputs import load_inputs
from consumer.errors import Misconfigured
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.signatures import Claim, Keyring
from consumer.records import Partition, SourceId
from tests.commands.cli import Ended, command
from tests.rig.replica import ROOT

KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}


def broken(folder: Path) -> Path:
    (folder / "policy.yaml").write_text("policy: p\nversion: 1\nroute:\n  high: deny\n")
    path = folder / "consumer.yaml"
    path.write_text("quota:\n  qps: many\nkafka: {outputs: {block: a, pass: a}}\n")
    return path


def test_all_problems_come_in_one_round(tmp_path: Path) -> None:
    """
    Those of the configuration, of the policy and of the key.
    """
    path = broken(tmp_path)

    with pytest.raises(Misconfigured) as misconfigured:
        load_inputs(path, {"MODERATION_QUOTA_QPS": "5"}, [])

    assert misconfigured.value.problems == (
        f"{path}:2: quota.qps: must be a whole number of 1 or more (given: 'many')",
        f"{path}:3: kafka.outputs.pass: is a, as block is: each outcome needs a topic of its own",
        f"{tmp_path}/policy.yaml:4: route.high: must be one of block, review, pass (given: 'deny')",
        "environment ALIBABA_CLOUD_ACCESS_KEY_ID: is not set; it is the provider account's key",
        "environment ALIBABA_CLOUD_ACCESS_KEY_SECRET: is not set; it is the provider account's key",
        "environment MODERATION_QUOTA_QPS: has no effect; the setting's variable is MODERATION__QUOTA__QPS",
    )


def test_a_broken_policy_in_shadow_refuses_the_start(tmp_path: Path) -> None:
    """
    With file and line, beside a policy that is sound.
    """
    (tmp_path / "policy.yaml").write_text("policy: p\nversion: 1\n")
    (tmp_path / "next.yaml").write_text("policy: p\nversion: 2\nroute:\n  high: deny\n")
    path = tmp_path / "consumer.yaml"
    path.write_text("policy: {file: policy.yaml, shadow: next.yaml}\n")

    with pytest.raises(Misconfigured) as misconfigured:
        load_inputs(path, KEY, [])

    assert misconfigured.value.problems == (
        f"{tmp_path}/next.yaml:4: route.high: must be one of block, review, pass (given: 'deny')",
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("provider: {key_files: nowhere, connect_timeout: 0}", 1),  # whether there are key files is not known then
        ("policy: [a]", 1),
        ("shutdown: {drain_on_revoke: 60}\npolicy: none.yaml", 2),
        ("quota: {", 1),
    ],
)
def test_what_depends_on_a_wrong_setting_is_not_looked_at(tmp_path: Path, text: str, problems: int) -> None:
    """
    No problem is named that the correction of another may solve.
    """
    (tmp_path / "policy.yaml").write_text("policy: p\nversion: 1\n")
    path = tmp_path / "consumer.yaml"
    path.write_text(text)

    with pytest.raises(Misconfigured) as misconfigured:
        load_inputs(path, KEY, [])

    assert len(misconfigured.value.problems) == problems


def test_what_is_right_is_returned_with_its_warnings(tmp_path: Path) -> None:
    """
    A variable that has no effect ends nothing.
    """
    inputs = load_inputs(None, {**KEY, "MODERATION_QUOTA_QPS": "5", "MODERATION__QUOTA__QPS": "7"}, [])

    assert inputs.config.quota.qps == 7
    assert len(inputs.warnings) == 1


def test_the_keys_of_identity_are_read_once(tmp_path: Path) -> None:
    """
    The service starts with the keys that were looked at. A pipe can be read no second time, and between two readings
    the file could be replaced by one that was never looked at.
    """
    pipe, signing = tmp_path / "pipe", b"k" * 32
    os.mkfifo(pipe)
    path = tmp_path / "consumer.yaml"
    policy = ROOT / "config" / "policy.yaml"
    path.write_text(f"policy: {policy}\nidentity: {{sign: new, keys: {{new: pipe}}}}\n")
    writer = threading.Thread(target=pipe.write_bytes, args=[signing], daemon=True)
    writer.start()

    keyring = load_inputs(path, KEY, []).keyring
    writer.join()

    claim = Claim("group", OF_VERDICT, Source(SourceId("1f"), Partition("uploads", 3), 7), "pass", None, b"{}")
    assert Keyring({"new": signing}).read(claim, keyring.sign(claim, 1.0, None)) == (1.0, None)


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([ok("a", "")], 0),
        ([ok("a", ""), warning("b", ""), skipped("c", "")], 0),
        ([wrong("a", ""), ok("b", "")], 1),
        ([wrong("a", ""), refused("b", "")], 2),
    ],
)
def test_the_status_says_whether_the_configuration_is_wrong(findings: list, status: int) -> None:  # type: ignore[type-arg]
    """
    2 for what `run` would refuse, as `run` does; 1 for what else must be corrected.
    """
    assert exit_status(findings) == status


async def test_check_and_run_agree(tmp_path: Path) -> None:
    """
    Both name every problem and exit with 2.
    """
    path = broken(tmp_path)

    run: Ended = await command("run", "--config", str(path))
    check: Ended = await command("check", "--config", str(path), environment={"MODERATION_QUOTA_QPS": "5"})

    assert (run.status, check.status) == (2, 2)
    for problem in (line.removeprefix("✗ ") for line in run.errors.splitlines()):
        assert problem in check.output
    assert "MODERATION__QUOTA__QPS" in check.output


async def test_wrong_rules_of_the_emulator_name_their_line(tmp_path: Path) -> None:
    """
    As a wrong configuration does.
    """
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - match: {}\n    labels: none\n")

    ended = await command("emulator", "--rules", str(path), "--port", "0")

    assert ended.status == 2
    assert ended.errors == f"✗ {path}:3: rules.0.labels: must be a list of at least one mapping (given: 'none')\n"


def test_a_policy_whose_service_is_not_offered_in_the_region_is_refused(tmp_path: Path) -> None:
    """
    The vendor's international services are outside of the Chinese mainland only; the fallback region counts as well.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text("policy: p\nversion: 1\nservices:\n  - baselineCheck_global\n")
    path = tmp_path / "consumer.yaml"
    path.write_text("provider: {region: cn-shanghai}\npolicy: policy.yaml\n")

    with pytest.raises(Misconfigured) as misconfigured:
        load_inputs(path, KEY, [])
    policy.write_text("policy: p\nversion: 1\nservices: [baselineCheck]\n")

    what = "services: baselineCheck_global is for regions outside of the Chinese mainland, and cn-shanghai is called"
    assert misconfigured.value.problems == (f"{policy}:3: {what}",)
    assert load_inputs(path, KEY, []).policy.settings.services == ("baselineCheck",)
