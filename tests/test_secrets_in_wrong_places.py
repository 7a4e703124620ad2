"""Secrets that stand where they should not: in options, in keys of a file, as odd YAML; and in core dumps."""

from pathlib import Path

import pytest

from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from tests.commands.cli import command
from tests.rig.replica import Replica

SECRET = "canary-7f3"
PASSWORD = "MODERATION__KAFKA__SECURITY__SASL__PASSWORD"


def problems_of(text: str, folder: Path) -> str:
    """What is said of a file, but for its name."""
    path = folder / "c.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        load_config(path, {})
    return "\n".join(wrong.value.problems)


@pytest.mark.parametrize(
    "below",
    [
        f"protocol: {SECRET}",
        f"protocol: [{SECRET}]",
        SECRET,
        f"[{SECRET}]",
        f"{{{SECRET}: 1}}",
        f"{{{SECRET}: {{{SECRET}: {SECRET}}}}}",
        f"tls: {SECRET}",
        f"tls: {{check_hostname: {SECRET}}}",
        f"tls: {{{SECRET}: x}}",
        f"sasl: {SECRET}",
        f"sasl: {{mechanism: {SECRET}}}",
        f"sasl: {{password {SECRET}: null}}",
        f"sasl: {{password: [{SECRET}]}}",
        f"sasl: {{token: {SECRET}}}",
        f"sasl: {{allow_clear_text: {SECRET}}}",
        f"sasl: {{extensions: {SECRET}}}",
        f"sasl: {{extensions: {{a: [{SECRET}]}}}}",
        f"sasl: {{extensions: {{{SECRET}: a}}}}",
        f"sasl: {{extensions: {{{SECRET}: [a]}}}}",
        f"sasl: {{password: !{SECRET}}}",
        f"sasl: {{password: !!{SECRET} x}}",
        f"sasl: {{password: *{SECRET}}}",
        f"sasl: {{password: &{SECRET}",
        f"sasl: {{password: !{SECRET}!x y}}",
        f"sasl: {{password: '{SECRET}}}",
        f"sasl: {{password: @{SECRET}}}",
        f"sasl: {{password: %{SECRET}}}",
    ],
)
def test_nothing_that_stands_below_the_way_in_is_shown(tmp_path: Path, below: str) -> None:
    """
    Neither a value, nor a key that is no setting's, nor what YAML takes for a tag or an alias. The line is.
    """
    indented = below if ": " not in below or below.startswith(("{", "[")) else f"{{{below}}}"

    said = problems_of(f"kafka:\n  security: {indented}\n", tmp_path)

    assert SECRET not in said
    assert f"{tmp_path}/c.yaml:2" in said or f"{tmp_path}/c.yaml:3" in said


def test_a_misspelt_setting_is_still_told_the_right_one(tmp_path: Path) -> None:
    """
    By the line and the setting that may be meant, without the key.
    """
    said = problems_of("kafka:\n  security:\n    sasl:\n      pasword: x\n", tmp_path)

    assert said.endswith(
        "c.yaml:4: kafka.security.sasl.…: is not a setting; did you mean kafka.security.sasl.password?"
    )


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        (f"kafka.security.sasl.password={SECRET}", PASSWORD),
        (f"kafka.security.sasl={{mechanism: PLAIN, username: a, password: {SECRET}}}", PASSWORD),
        (f"kafka.security={{sasl: {{password: {SECRET}}}}}", PASSWORD),
        (f"kafka={{security: {{sasl: {{password: {SECRET}}}}}}}", PASSWORD),
        (f"kafka.security.sasl.password.x={SECRET}", PASSWORD),
        (f"provider.proxy=http://ada:{SECRET}@proxy:3128", "MODERATION__PROVIDER__PROXY"),
        (f"provider={{proxy: 'http://ada:{SECRET}@proxy:3128'}}", "MODERATION__PROVIDER__PROXY"),
        (f"provider.access_key_id={SECRET}", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        (f"provider.access_key_secret={SECRET}", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        (f"security_token={SECRET}", "ALIBABA_CLOUD_SECURITY_TOKEN"),
        (f"provider={{security_token: {SECRET}}}", "ALIBABA_CLOUD_SECURITY_TOKEN"),
    ],
)
def test_an_option_with_a_secret_is_refused(option: str, variable: str) -> None:
    """
    Everyone on the machine could see it: the variable to use instead is named, and the secret is not.
    """
    with pytest.raises(Misconfigured) as wrong:
        load_config(None, {}, [option])

    [said, *_] = wrong.value.problems
    assert said.startswith(f"--set {option.partition('=')[0]}: ")
    assert said.endswith(f"everyone on this machine can see an option; use the environment's {variable}")
    assert SECRET not in "\n".join(wrong.value.problems)


@pytest.mark.parametrize("option", ["provider.proxy=none", "provider.proxy=http://proxy:3128", "quota={qps: 5}"])
def test_an_option_without_a_secret_is_not(option: str) -> None:
    """
    A proxy without a user is no secret.
    """
    load_config(None, {}, [option])


@pytest.mark.parametrize("option", [f"kafka.security.sasl.password:{SECRET}", SECRET, f"kafka.{SECRET}.group_id"])
async def test_an_option_without_a_value_shows_settings_alone(option: str) -> None:
    """
    Whatever was meant, what is no setting's name may be its value.
    """
    ended = await command("config", "--set", option)

    assert ended.status == 2
    assert "…: has no value; write key=value, such as quota.qps=50" in ended.errors
    assert SECRET not in ended.errors + ended.output


async def test_a_replica_leaves_no_core_dump(tmp_path: Path) -> None:
    """
    From its start, whatever the machine's limit is: memory holds keys and presigned URLs.
    """
    config = {"kafka": {"bootstrap_servers": "127.0.0.1:1"}}

    async with Replica.started(tmp_path, config) as replica:
        await replica.until(lambda status, text: status == 503)
        limits = Path(f"/proc/{replica.pid}/limits").read_text()
        replica.terminate()
        await replica.ended()

    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]
