"""Which records a backtest believes where the service signs its verdicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from consumer.commands.policy.backtesting.signatures import Signatures
from consumer.config import Config
from consumer.errors import Misconfigured
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Partition
from consumer.verdicts.encode import Encoding
from tests.rig.verdicts import published, uploads

KEYRING = Keyring({"k1": b"k" * 32}, "k1")
FORGER = Keyring({"k1": b"f" * 32}, "k1")
POLICY = Policy(settings=PolicySettings.model_validate({"policy": "test", "version": 1}), sha256="a" * 64)
NOW, LATER, EARLIER = 1_763_700_000.0, 1_763_800_000.0, 1_763_600_000.0


class Record(NamedTuple):
    """A record as aiokafka has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def record(signed_by: Keyring | None, group: str = "group") -> Record:
    (uploaded,) = uploads(1)
    _, encoded = published(uploaded, Deciding(POLICY), Encoding(group=group))
    headers: list[tuple[str, bytes | None]] = list(encoded.headers)
    if signed_by is not None:
        read = uploaded.submission.delivery
        source = Source(uploaded.submission.id, Partition(read.topic, read.partition), read.offset)
        claim = Claim(group, OF_VERDICT, source, "pass", encoded.key, encoded.value)
        headers.append((HEADER, signed_by.sign(claim, 1.0, None)))
    return Record("pass", 0, 0, encoded.key, encoded.value, headers)


@pytest.mark.parametrize(
    ("signed_by", "unsigned_until", "is_believed", "unsigned"),
    [
        (KEYRING, EARLIER, True, 0),
        (FORGER, LATER, False, 0),
        (None, EARLIER, False, 1),
        (None, LATER, True, 1),
    ],
)
def test_what_no_key_signed_counts_only_while_it_may(
    signed_by: Keyring | None, unsigned_until: float, is_believed: bool, unsigned: int
) -> None:
    """A signature of the service's counts, a false one never; what is unsigned is counted, and counts until a date."""
    signatures = Signatures("group", KEYRING, unsigned_until, lambda: NOW)

    assert signatures.are_believed(record(signed_by)) is is_believed
    assert signatures.unsigned == unsigned


def test_another_groups_verdicts_are_not_believed() -> None:
    """Whoever signs for another group signs nothing of this one."""
    signatures = Signatures("group", KEYRING, LATER, lambda: NOW)

    assert not signatures.are_believed(record(KEYRING, group="another"))


def test_without_keys_everything_is_believed(tmp_path: Path) -> None:
    """Nothing is looked at then; a key that cannot be read is refused, not passed over."""
    named = {"identity": {"keys": {"k1": str(tmp_path / "k1")}, "sign": "k1"}}

    assert Signatures.of(Config(), lambda: NOW) is None
    with pytest.raises(Misconfigured, match=r"identity\.keys\.k1"):
        Signatures.of(Config.model_validate(named), lambda: NOW)
