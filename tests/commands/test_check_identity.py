"""Whether `check` says who is believed."""

from pathlib import Path

import pytest

from consumer.commands.check.findings import Level
from consumer.commands.check.identity import identity
from consumer.config.identity import IdentitySettings
from consumer.config.kafka import KafkaSettings

KAFKA = KafkaSettings(bootstrap_servers="kafka:9092")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_bytes(b"k" * 32 + b"\n")
    return file


@pytest.mark.parametrize(
    ("servers", "level"),
    [
        ("localhost:9092", Level.OK),
        ("127.0.0.1:9092, [::1]:9092", Level.OK),
        ("kafka:9092", Level.WARNING),
        ("localhost:9092,kafka:9092", Level.WARNING),
        ("localhost.example.com:9092", Level.WARNING),
    ],
)
def test_outcomes_that_nobody_signs_are_warned_of_beyond_this_machine(servers: str, level: Level) -> None:
    """
    A broker on loopback is a demo's or a test's: nobody else writes there.
    """
    [found] = identity(IdentitySettings(), KafkaSettings(bootstrap_servers=servers))

    assert found.level is level
    assert "outcomes are not signed" in found.text


def test_a_key_that_signs_is_said(key: Path) -> None:
    """
    By its id; how it was made stays unsaid.
    """
    [found] = identity(IdentitySettings(sign="a", keys={"a": key}), KAFKA)

    assert (found.level, found.text) == (Level.OK, "outcomes are signed with a; unsigned ones are not believed")


def test_a_roll_out_that_is_not_over_is_warned_of(key: Path) -> None:
    """
    Until then whoever may write to the outputs is believed.
    """
    settings = IdentitySettings.model_validate({"keys": {"a": key}, "accept_unsigned_until": "2027-01-01T00:00:00Z"})

    [found] = identity(settings, KAFKA)

    assert found.level is Level.WARNING
    assert found.text == "nothing is signed yet; unsigned ones are believed until 2027-01-01T00:00:00+00:00"


def test_keys_that_cannot_be_read_are_refused_all_at_once(key: Path, tmp_path: Path) -> None:
    """
    As `run` does, with each file and nothing of what it holds.
    """
    short = tmp_path / "short"
    short.write_bytes(b"secret\n")
    settings = IdentitySettings(sign="a", keys={"a": key, "b": short, "c": tmp_path / "none"})

    found = list(identity(settings, KAFKA))

    assert [(each.level, each.refused) for each in found] == [(Level.WRONG, True)] * 2
    assert "has 6 bytes, and must have at least 32" in found[0].text
    assert "identity.keys.c" in found[1].text
    assert "No such file" in found[1].text
    assert "secret" not in "".join(each.text for each in found).replace(str(tmp_path), "")
