"""What docs/operations.md tells operators to run over their dead letters."""

import runpy

from consumer.clock import SystemClock
from consumer.config.privacy import PrivacySettings
from consumer.emulator.broker import EmbeddedBroker
from consumer.errors import Undecodable
from consumer.journal.signatures import HEADER
from consumer.verdicts.encode import Encoding
from tests.rig.events import delivery
from tests.rig.kafka import NewRecord, publish, read_all
from tests.rig.replica import ROOT

republish = runpy.run_path(str(ROOT / "examples" / "republish.py"))["republish"]

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


async def test_letters_of_a_reason_go_back_as_they_were_and_once() -> None:
    """
    Key, value and headers, also those that had one of our names; letters of other reasons, other groups' letters and
    those that are not whole stay where they are.
    """
    letters = [letter("group", "unbound_bucket", b"mended"), letter("group", "not_json", b"\xff")]
    letters += [letter("another", "unbound_bucket", b"theirs"), letter("group", "unbound_bucket", b"cut", cut=True)]
    with EmbeddedBroker() as broker:
        await publish(broker.bootstrap_servers, "dead", letters)

        done = [await republish(broker.bootstrap_servers, "dead", "unbound_bucket", "group", 0.5) for _ in range(2)]
        again = await read_all(broker.bootstrap_servers, "uploads")

    assert done == [(1, 1, 0), (0, 0, 0)]
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
    with EmbeddedBroker() as broker:
        await publish(broker.bootstrap_servers, "dead", letters)

        done = await republish(broker.bootstrap_servers, "dead", "unbound_bucket", "group", 0.5)
        published = await read_all(broker.bootstrap_servers, "moderation.pass")

    assert done == (0, 0, 3)
    assert published == []
