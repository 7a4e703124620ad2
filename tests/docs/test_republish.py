"""What docs/operations.md tells operators to run over their dead letters."""

import asyncio
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.clock import SystemClock
from consumer.config.privacy import PrivacySettings
from consumer.errors import Undecodable
from consumer.journal.headers import OF_DEAD_LETTER, Source
from consumer.journal.signatures import HEADER, Claim, CommitMark, Keyring
from consumer.records import source_id
from consumer.verdicts.encode import Encoding
from tests.rig.embedded import BrokerProcess
from tests.rig.events import delivery
from tests.rig.kafka import NewRecord, publish, read_all
from tests.rig.replica import ROOT

PROGRAM = ROOT / "examples" / "republish.py"
republish = runpy.run_path(str(PROGRAM))["republish"]
GARBAGE = (None, b"", b"\xff", b"v1 \xff 1 1 1 0", b"v1 new 1 1 1 \xff")
KEYS = {"old": b"o" * 32, "new": b"n" * 32}

THEIRS = [
    ("trace", b"1"), ("source_group", b"theirs"), (HEADER, b"theirs"), ("trace", b"2"), ("nothing", None),
]  # fmt: skip


def letter(group: str, reason: str, value: bytes, *, cut: bool = False) -> NewRecord:
    """A dead letter as the service of a group writes it."""
    encoding = Encoding(group=group, privacy=PrivacySettings())
    refused = delivery(value, key=b"\x00key", headers=THEIRS)
    encoded = encoding.dead_letter(refused, Undecodable(reason, "somewhere"), SystemClock().wall())
    headers = [*encoded.headers, (HEADER, b"ours"), *([("dlq_truncated", b"true")] if cut else [])]
    return NewRecord(encoded.value, key=encoded.key, headers=headers)


@pytest.mark.scenario
async def test_letters_of_a_reason_go_back_as_they_were_and_once() -> None:
    """
    Key, value and headers, also those that had one of our names; letters of other reasons, other groups' letters and
    those that are not whole stay where they are.
    """
    letters = [letter("group", "unbound_bucket", b"mended"), letter("group", "not_json", b"\xff")]
    letters += [letter("another", "unbound_bucket", b"theirs"), letter("group", "unbound_bucket", b"cut", cut=True)]
    with BrokerProcess() as broker:
        await publish(broker.bootstrap_servers, "dead", letters)

        done = [await republish(broker.bootstrap_servers, "dead", "unbound_bucket", "group", 0.5) for _ in range(2)]
        again = await read_all(broker.bootstrap_servers, "uploads")

    assert done == [(1, 1, 0, 0), (0, 0, 0, 0)]
    assert [(record.key, record.value, list(record.headers)) for record in again] == [(b"\x00key", b"mended", THEIRS)]


async def test_a_letter_cannot_choose_where_it_goes() -> None:
    """
    Whoever may write a dead letter could else have a verdict of his own published as an output of the service.
    """
    forged = letter("group", "unbound_bucket", b'{"decision": "pass"}')
    names = [("dlq_source_topic", topic) for topic in (b"moderation.pass", b"\xff", None)]
    letters = [
        NewRecord(forged.value, forged.key, [*(each for each in forged.headers if each[0] != name), (name, topic)])
        for name, topic in names
    ]
    with BrokerProcess() as broker:
        await publish(broker.bootstrap_servers, "dead", letters)

        done = await republish(broker.bootstrap_servers, "dead", "unbound_bucket", "group", 0.5)
        published = await read_all(broker.bootstrap_servers, "moderation.pass")

    assert done == (0, 0, 3, 0)
    assert published == []


def signed(keyring: Keyring, value: bytes, topic: str = "dead") -> NewRecord:
    """A letter as a service with a key writes it to a topic."""
    written = letter("group", "unbound_bucket", value)
    refused = delivery(value, key=written.key, headers=THEIRS)
    source = Source(source_id("group", refused), refused.topic_partition, refused.offset)
    claim = Claim("group", OF_DEAD_LETTER, source, topic, written.key, value)
    header = keyring.sign(claim, 1_763_632_801.0, CommitMark(0, 1_763_632_800.0))
    return NewRecord(value, written.key, [*(each for each in written.headers if each[0] != HEADER), (HEADER, header)])


def changed(record: NewRecord, name: str, content: bytes | None) -> NewRecord:
    """The record with another header."""
    return NewRecord(record.value, record.key, [*(each for each in record.headers if each[0] != name), (name, content)])


async def test_with_keys_only_letters_of_the_service_go_back() -> None:
    """
    Signed by any of its keys; unsigned letters, garbage, and genuine signatures under another message are refused and
    counted, whatever else is wrong with them.
    """
    genuine = [signed(Keyring(KEYS, name), name.encode()) for name in KEYS]
    first = genuine[0]
    forged = [
        letter("group", "unbound_bucket", b"unsigned"),
        signed(Keyring({"new": b"x" * 32}, "new"), b"made with another key"),
        signed(Keyring({"another": KEYS["new"]}, "another"), b"named otherwise"),
        signed(Keyring(KEYS, "new"), b"of another topic", topic="moderation.pass"),
        NewRecord(b"another", first.key, first.headers),
        NewRecord(first.value, b"another", first.headers),
        NewRecord(None, first.key, first.headers),
        changed(first, "dlq_source_topic", b"moderation.pass"),
        *(
            changed(first, HEADER, content)
            for content in (None, b"", b"\xff", b"v1 \xff 1 1 1 0", b"v1 new 1 1 1 \xff")
        ),
    ]
    with BrokerProcess() as broker:
        await publish(broker.bootstrap_servers, "dead", [*genuine, *forged])

        done = await republish(broker.bootstrap_servers, "dead", "unbound_bucket", "group", 0.5, keys=KEYS)
        again = await read_all(broker.bootstrap_servers, "uploads")

    assert done == (2, 0, 0, len(forged))
    assert [record.value for record in again] == [b"old", b"new"]


@pytest.mark.parametrize(
    ("option", "says"),
    [("new", "ID=FILE"), ("new=missing", "cannot be read"), ("new=short", "has 31 bytes")],
)
def test_a_key_that_cannot_be_used_is_refused(tmp_path: Path, option: str, says: str) -> None:
    """
    Before anything is read: with a key that anybody could guess, everybody's letters would be genuine.
    """
    (tmp_path / "short").write_bytes(b"k" * 31 + b"\n")
    command = [sys.executable, str(PROGRAM), "--reason", "x", "--key", option]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ran.returncode == 2
    assert says in ran.stderr


@pytest.mark.scenario
async def test_without_keys_it_says_that_anybodys_letters_go_back(tmp_path: Path) -> None:
    """
    And with keys, how many were refused.
    """
    (tmp_path / "key").write_bytes(KEYS["new"] + b"\n")
    with BrokerProcess() as broker:
        await publish(broker.bootstrap_servers, "dead", [letter("group", "unbound_bucket", b"unsigned")])
        options = ["--bootstrap-servers", broker.bootstrap_servers, "--topic", "dead", "--reason", "unbound_bucket"]

        with_key = await run(*options, "--group", "group", "--key", f"new={tmp_path / 'key'}")
        without = await run(*options, "--group", "another")

    assert "1 are signed by none of the keys and are refused: somebody else writes to dead" in with_key
    assert "0 messages published again" in with_key
    assert "letters are not verified" in without


async def run(*options: str) -> str:
    """What the program prints."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, _ = await program.communicate()
    return printed.decode()
