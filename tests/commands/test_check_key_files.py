"""What `check` says of files that hold secrets."""

from pathlib import Path

import pytest

from consumer.commands.check.key_files import open_to_others
from consumer.config import Config
from tests.commands.cli import command
from tests.rig.emulated import KEY


def config_with(folder: Path) -> Config:
    """Every secret that may stand in a file, in one folder."""
    tls = {name: str(folder / name) for name in ("certificate_file", "key_file", "key_password_file")}
    sasl = {"mechanism": "PLAIN", "username": "ada", "password_file": str(folder / "password_file")}
    security = {"protocol": "SASL_SSL", "tls": tls, "sasl": sasl}
    scan = {"callback": {"seed_file": str(folder / "seed_file")}}
    return Config.model_validate(
        {"kafka": {"security": security}, "provider": {"key_files": str(folder)}, "scan": scan}
    )


SECRETS = ("key_file", "key_password_file", "password_file", "seed_file", "access-key-secret", "security-token")
PUBLIC = ("certificate_file", "access-key-id")


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o444, 0o004])
def test_a_secret_that_everybody_may_read_is_warned_of(tmp_path: Path, mode: int) -> None:
    """
    Each by its path and setting, with what to do; what is no secret is not.
    """
    for name in (*SECRETS, *PUBLIC):
        (tmp_path / name).write_text("canary")
        (tmp_path / name).chmod(mode)

    found = list(open_to_others(config_with(tmp_path)))

    assert [each.text.split(" ")[0] for each in found] == [str(tmp_path / name) for name in SECRETS]
    assert found[0].text.startswith(f"{tmp_path / 'key_file'} (kafka.security.tls.key_file): everybody on this machine")
    assert all("chmod o-r" in each.text and f"{mode:04o}" in each.text for each in found)
    assert {each.level for each in found} == {"warning"}


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640, 0o000])
def test_a_secret_that_owner_and_group_may_read_is_no_matter(tmp_path: Path, mode: int) -> None:
    """
    Kubernetes mounts secrets with 0440 for the pod's fsGroup, behind symbolic links.
    """
    mounted = tmp_path / "..data"
    mounted.mkdir()
    for name in SECRETS:
        (mounted / name).write_text("canary")
        (mounted / name).chmod(mode)
        (tmp_path / name).symlink_to(mounted / name)

    assert list(open_to_others(config_with(tmp_path))) == []


def test_a_stores_key_is_looked_at_too(tmp_path: Path) -> None:
    """
    Whether a binding names the store or not.
    """
    secret = tmp_path / "access-key-secret"
    secret.write_text("canary")
    secret.chmod(0o644)
    store = {"type": "s3", "region": "eu-west-1", "key_files": tmp_path}

    [found] = open_to_others(Config.model_validate({"stores": {"a": store}}))

    assert found.text.startswith(f"{secret} (stores.a.key_files): everybody on this machine may read it")


def test_the_link_of_a_mount_is_followed(tmp_path: Path) -> None:
    """
    A link itself is open to all; what it leads to counts. A file that is not there is said elsewhere.
    """
    (tmp_path / "secret").write_text("canary")
    (tmp_path / "secret").chmod(0o644)
    (tmp_path / "password_file").symlink_to(tmp_path / "secret")

    [only] = open_to_others(config_with(tmp_path))

    assert "kafka.security.sasl.password_file" in only.text


async def test_check_warns_of_an_open_key(tmp_path: Path) -> None:
    """
    In its own line, without what the file holds.
    """
    for name, variable in (("access-key-id", "KEY_ID"), ("access-key-secret", "KEY_SECRET")):
        (tmp_path / name).write_text(KEY[f"ALIBABA_CLOUD_ACCESS_{variable}"])
        (tmp_path / name).chmod(0o644)
    overrides = [f"provider.key_files={tmp_path}", "kafka.bootstrap_servers=127.0.0.1:1", "provider.proxy=none"]

    ended = await command(
        "check", *(part for each in (*overrides, "provider.endpoint=http://127.0.0.1:1") for part in ("--set", each))
    )

    assert f"{tmp_path}/access-key-secret (provider.key_files): everybody on this machine may read it" in ended.output
    assert KEY["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] not in ended.output
