"""What docs/operations.md tells operators to run over their dead letters."""

import runpy

from consumer.clock import SystemClock
from consumer.config import PrivacySettings
from consumer.emulator.broker import EmbeddedBroker
from consumer.errors import Undecodable
from consumer.verdicts.encode import Encoding
from tests.events import delivery
from tests.kafka import NewRecord, publish, read_all
from tests.replica import ROOT

republish = runpy.run_path(str(ROOT / "examples" / "republish.py"))["republish"]

THEIRS = [("trace", b"1"), ("source_group", b"theirs"), ("trace", b"2"), ("nothing", None)]


async def test_letters_of_a_reason_go_back_as_they_were_and_once() -> None:
    """
    Key, value and headers, also those that had one of our names; letters of other reasons stay where they are.
    """
    encoding, letters = Encoding(group="group", privacy=PrivacySettings()), []
    for reason, value in (("unbound_bucket", b"mended"), ("not_json", b"\xff")):
        refused = delivery(value, key=b"\x00key", headers=THEIRS)
        letter = encoding.dead_letter(refused, Undecodable(reason, "somewhere"), SystemClock().wall())
        letters.append(NewRecord(letter.value, key=letter.key, headers=letter.headers))
    with EmbeddedBroker() as broker:
        await publish(broker.bootstrap_servers, "dead", letters)

        counts = [await republish(broker.bootstrap_servers, "dead", "unbound_bucket", quiet=0.5) for _ in range(2)]
        again = await read_all(broker.bootstrap_servers, "uploads")

    assert counts == [1, 0]
    assert [(record.key, record.value, list(record.headers)) for record in again] == [(b"\x00key", b"mended", THEIRS)]
