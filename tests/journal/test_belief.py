"""What of the output topics counts as done."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from consumer.config.kafka import KafkaSettings, OutputTopics
from consumer.journal.belief import Belief
from consumer.journal.headers import OF_DEAD_LETTER, OF_PROVISIONAL, OF_VERDICT, Source, SourceHeaders
from consumer.journal.reader import OutputReader
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.kafka.security import KafkaAccess
from consumer.records import Partition, SourceId
from tests.rig.clock import ManualClock
from tests.rig.events import delivery
from tests.rig.outcomes import OUTCOMES

SETTINGS = KafkaSettings(
    bootstrap_servers="127.0.0.1:9",
    group_id="group",
    topics=("uploads",),
    outputs=OutputTopics.model_validate({name: name for name in OUTCOMES}),
)
OURS, THEIRS = Keyring({"a": b"a" * 32}, "a"), Keyring({"a": b"b" * 32, "x": b"x" * 32}, "x")
SOURCE = Partition("uploads", 3)
UNTIL = 1_800_000_000.0  # unix seconds
TIMESTAMP = 1_700_000_000_000  # milliseconds


class Journal:
    """Reads records as the journal does, at a moment."""

    def __init__(self, now: float = UNTIL + 1.0) -> None:
        self.clock = ManualClock(now)
        belief = Belief(OURS, UNTIL, self.clock.wall)
        self._reader = OutputReader(SETTINGS, KafkaAccess(SETTINGS), 5.0, belief)

    def reads(
        self,
        topic: str,
        names: SourceHeaders,
        signer: Keyring | None,
        published: float = 1.5,
        wanted: int = 7,
        more: Sequence[tuple[str, bytes]] = (),
    ) -> Any:
        """What it takes a record for that names the group, signed or not, when one offset is `wanted`."""
        message = delivery(b"{}", partition=3, offset=7)
        source = Source(SourceId("1f"), SOURCE, 7)
        headers = [*names.write("group", source.id, message), *more]
        if signer is not None:
            claim = Claim("group", names, source, topic, b"key", b"value")
            headers.append((HEADER, signer.sign(claim, published, None)))
        record: ConsumerRecord[Any, Any] = ConsumerRecord(
            topic, 0, 9, TIMESTAMP, 0, b"key", b"value", None, 3, 5, tuple(headers)
        )
        return self._reader.outcome(record, lambda _, partition, offset: (partition, offset) == (SOURCE, wanted))


def not_believed(reason: str) -> float:
    return REGISTRY.get_sample_value("moderation_outcomes_not_believed_total", {"reason": reason}) or 0.0


def test_ours_is_believed_at_the_moment_that_it_was_signed_for() -> None:
    """
    And not at the record's timestamp, which any writer can choose, and which decides since when journals are read.
    """
    found = Journal().reads("pass", OF_VERDICT, OURS, published=1_750_000_000.5)

    assert found[:4] == ("1f", SOURCE, 7, 1_750_000_000.5)


@pytest.mark.parametrize(("signer", "reason"), [(None, "unsigned"), (THEIRS, "unsigned")])
def test_what_no_key_of_ours_signed_counts_as_not_done(signer: Keyring | None, reason: str) -> None:
    """
    With a key, a record without a signature, or with one of a key that is not known here, is nobody's outcome.
    """
    before = not_believed(reason)

    assert Journal().reads("pass", OF_VERDICT, signer) is None
    assert not_believed(reason) - before == 1


def test_a_signature_that_is_false_is_never_believed() -> None:
    """
    Nor while unsigned outcomes are: it names a key of ours, and was not made with it.
    """
    false = Keyring({"a": b"b" * 32}, "a")
    before = not_believed("forged")

    assert Journal(UNTIL - 1.0).reads("pass", OF_VERDICT, false) is None
    assert not_believed("forged") - before == 1


@pytest.mark.parametrize("signer", [Keyring({"a": b"b" * 32}, "a"), THEIRS, None])
def test_what_is_not_looked_for_is_not_verified(signer: Keyring | None) -> None:
    """
    Most records that a take-over reads are of partitions that others have: verifying them would cost more than reading
    them, and a forged one among them is counted by the replica that looks for it.
    """
    journal = Journal()
    before = not_believed("forged"), not_believed("unsigned")

    with capture_logs() as logs:
        assert journal.reads("pass", OF_VERDICT, signer, wanted=8) is None

    assert (not_believed("forged"), not_believed("unsigned")) == before
    assert logs == []


def test_unsigned_outcomes_are_believed_until_a_moment() -> None:
    """
    While a group introduces its first key: then those of replicas without it must count, and after that nobody's.
    """
    journal = Journal(UNTIL - 1.0)

    during = journal.reads("pass", OF_VERDICT, None)
    journal.clock.time = UNTIL
    after = journal.reads("pass", OF_VERDICT, None)

    assert during is not None
    assert during[:4] == ("1f", SOURCE, 7, TIMESTAMP / 1000)
    assert after is None


def test_an_outcome_of_one_kind_is_none_of_the_other() -> None:
    """
    A dead letter in a verdict topic says nothing, and a dead letter never makes an image count as judged.
    """
    journal = Journal()
    letter = journal.reads("dead_letter", OF_DEAD_LETTER, OURS)

    assert journal.reads("pass", OF_DEAD_LETTER, OURS) is None
    assert journal.reads("dead_letter", OF_VERDICT, OURS) is None
    assert letter is not None
    assert letter.id != "1f"


def test_a_provisional_verdict_is_no_outcome() -> None:
    """
    Believed, it is known by a name that no outcome has. No key of ours makes one of it: neither where its headers are
    those of a verdict, nor where it has both.
    """
    journal = Journal()
    found = journal.reads("review", OF_PROVISIONAL, OURS)
    assert found is not None
    assert found.id not in ("1f", OF_DEAD_LETTER.journal_id(SourceId("1f")))

    for signed, shown in ((OF_PROVISIONAL, OF_VERDICT), (OF_VERDICT, OF_PROVISIONAL)):
        assert journal.reads("review", replace(shown, kind=signed.kind), OURS) is None
    assert journal.reads("dead_letter", OF_PROVISIONAL, OURS) is None


@pytest.mark.parametrize("signer", [OURS, None])
def test_a_verdict_that_is_dressed_up_as_a_provisional_one_is_the_verdict_still(signer: Keyring | None) -> None:
    """
    Headers are not covered by its signature: whoever writes it again with others must not have the journal miss it.
    """
    journal = Journal(UNTIL - 1.0)
    others = OF_PROVISIONAL.write("group", SourceId("2e"), delivery(b"{}", partition=3, offset=7))

    found = journal.reads("pass", OF_VERDICT, signer, more=[each for each in others if each[0] != "ce_id"])

    assert found is not None
    assert found.id == "1f"


def test_releases_that_know_no_provisional_verdicts_pass_them_over() -> None:
    """
    In a rolling upgrade they read the outputs too: they look for a message's headers in `source_…` alone.
    """
    written = dict(OF_PROVISIONAL.write("group", SourceId("1f"), delivery(b"{}", partition=3, offset=7)))

    assert OF_VERDICT.read("group", written) is None


def test_who_floods_the_outputs_does_not_flood_the_log() -> None:
    """
    One line a minute, with how many were left out.
    """
    journal = Journal()

    with capture_logs() as logs:
        for _ in range(3):
            journal.reads("pass", OF_VERDICT, None)
        journal.clock.time = UNTIL + 62.0
        journal.reads("pass", OF_VERDICT, None)

    assert [(each["event"], each["left_out"]) for each in logs] == [
        ("outcome.not_believed", 0),
        ("outcome.not_believed", 2),
    ]
