"""
An outcome always fits: whatever the message, the event and the answer are, key, value and headers are bounded, Kafka's
record builder takes them, and who reads the outputs as the journal finds the outcome.
"""

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumer.commands.arguments import SchemaName
from consumer.commands.schema import schema
from consumer.config.kafka import KafkaSettings, OutputTopics
from consumer.errors import Undecodable
from consumer.hits import Hits
from consumer.journal.reader import OutputReader
from consumer.kafka.security import KafkaAccess
from consumer.locations import Image, ObjectRef
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Delivery, Failure, Label, ModerationResult, Subject, Verdict
from consumer.verdicts.bounds import MOST_KEY, MOST_VALUE
from consumer.verdicts.encode import Encoded, Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from tests.rig.events import delivery, submission

GROUP = "moderation-consumer"
OUTCOMES = Outcomes(Encoding(group=GROUP), OutputTopics())
DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
MOST_RECORD = 98_304  # bytes: what docs/events.md asks verdicts' topics to take
VALID = Draft202012Validator(schema(SchemaName.VERDICT))
SURROGATE = "\udcff"
TEXTS = st.text(st.characters(), max_size=64) | st.sampled_from(
    [SURROGATE * 9, "\ud800", "\x00" * 2_100, "𐍈" * 2_100, "a" * 600_000, "http://user:password@host/", ""]
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["ce_id", "CE_ID", "source_topic", "dlq_id", "traceparent", "tracestate", "x", f"n{SURROGATE}"]
        ),
        st.sampled_from([None, b"", b"\xff", b"v" * 300, b"h" * 100_000]),
    ),
    max_size=40,
) | st.sampled_from([[("ce_source", b"x")] * 10_000, [("", None)] * 10_000])
DELIVERIES = st.builds(
    lambda key, value, headers, timestamp, received, offset: replace(
        delivery(value, key=key, offset=offset, headers=headers), timestamp=timestamp / 1000, received=received
    ),
    st.none() | st.binary(max_size=9) | st.sampled_from([b"k" * MOST_KEY, b"k" * (MOST_KEY + 1), b"k" * 1_048_576]),
    st.none() | st.binary(max_size=9) | st.sampled_from([b"\xff" * 3_000_000]),
    HEADERS,
    st.sampled_from([-1, 0, 1_763_632_800_123, 10**15, 2**63 - 1]),
    st.sampled_from([-1.0, 1_763_632_801.0, 1e15]),
    st.integers(0, 2**63 - 1),
)
LABELS = st.lists(
    st.builds(Label, TEXTS, st.none() | st.floats(0, 100), st.none() | TEXTS), max_size=4
) | st.sampled_from([[Label(f"label_{n}", 50.0, "high") for n in range(6_000)], [Label("l" * 600_000, None, "medium")]])
OBJECTS = st.sampled_from([b"{}", b'{"a":"%s"}' % (b"b" * 8_000)])


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Of events and answers as nothing before checks them."""
    one = st.none() | TEXTS
    ref = ObjectRef(
        store=draw(TEXTS), bucket=draw(TEXTS), key=draw(TEXTS), region=draw(one), version=draw(one), etag=draw(one)
    )
    event = replace(
        submission(draw(DELIVERIES)), event_id=draw(TEXTS), tenant=draw(TEXTS), purpose=draw(TEXTS),
        event_time=draw(TEXTS), context=draw(OBJECTS), attrs=draw(OBJECTS),
        subject=Subject(id=draw(TEXTS), type=draw(one), revision=draw(st.sampled_from([None, -1, 2**63, 2**70]))),
        image=Image(id=draw(TEXTS), url=draw(one), ref=draw(st.sampled_from([None, ref])), mime=draw(one)),
    )  # fmt: skip
    answer = ModerationResult(
        service="s", request_id=draw(one), risk_level=draw(one), labels=tuple(draw(LABELS)),
        hits=Hits(logos=(draw(TEXTS),)), region="r",
    )  # fmt: skip
    assessment = draw(
        st.sampled_from([Assessment(answers=(answer,)), Assessment(failure=Failure(kind="fetch", code="404"))])
    )
    return DECIDING.decide(event, assessment, draw(st.sampled_from([0.0, -1.0, 1e15])))


def outcome_of(verdict: Verdict) -> Outcome:
    """As the pipeline makes it: the minimal one where the whole cannot be written."""
    try:
        return OUTCOMES.verdict(verdict)
    except (TypeError, UnicodeError):
        return OUTCOMES.minimal_verdict(verdict)


def read_back(topic: str, record: Encoded) -> ConsumerRecord[bytes, bytes]:
    """The record, built and parsed as aiokafka does it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=0,
    )  # fmt: skip
    assert builder.append(0, 0, record.key, record.value, list(record.headers)) is not None
    batch = MemoryRecords(bytes(builder.build())).next_batch()
    [found] = list(batch)
    assert list(found.headers) == [(name, value) for name, value in record.headers]
    return ConsumerRecord(
        topic=topic, partition=0, offset=0, timestamp=1_000, timestamp_type=0, key=found.key, value=found.value,
        checksum=None, serialized_key_size=0, serialized_value_size=0, headers=tuple(found.headers),
    )  # fmt: skip


def check_journal(read: Delivery, outcome: Outcome, record: Encoded) -> None:
    """The reader of the outputs finds the outcome, and which record it is about."""
    settings = KafkaSettings()
    found = OutputReader(settings, KafkaAccess(settings), 1.0).outcome(
        read_back(outcome.topic, record), lambda *_: True
    )

    assert found is not None
    assert (found.id, found.partition, found.offset) == (outcome.id, read.topic_partition, read.offset)


def size(record: Encoded) -> int:
    return int(DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers)))


@settings(max_examples=200)
@given(verdict=verdicts())
def test_a_verdict_always_fits(verdict: Verdict) -> None:
    """
    Whole or minimal, and when its topic finds that too large: within the bounds, valid by the schema, without a user
    part of a URL, and the same decision.
    """
    outcome = outcome_of(verdict)

    assert outcome.smaller is not None
    for record in (outcome.record, outcome.smaller()):
        assert len(record.value or b"") <= MOST_VALUE
        assert len(record.key or b"") <= MOST_KEY
        assert size(record) <= MOST_RECORD
        check_journal(verdict.submission.delivery, outcome, record)
        value = orjson.loads(record.value or b"")
        assert value["decision"] == verdict.decision
        assert b"user:password" not in orjson.dumps(value["image"]["url"])
        assert [error.message for error in VALID.iter_errors(value)] == []


@settings(max_examples=100)
@given(read=DELIVERIES, detail=TEXTS)
def test_a_dead_letter_always_fits(read: Delivery, detail: str) -> None:
    """
    Whole while its topic takes it, else cut to the bounds; found by the journal either way.
    """
    outcome = OUTCOMES.dead_letter(read, Undecodable("not_json", detail), 0.0)

    assert outcome.record.value == read.value
    assert outcome.smaller is not None
    assert size(outcome.smaller()) <= MOST_RECORD
    for record in (outcome.record, outcome.smaller()):
        check_journal(read, outcome, record)


def test_a_verdict_that_would_be_too_large_says_what_it_lacks() -> None:
    """
    An answer with 6,000 labels: decided by all of them, and written without most.
    """
    labels = tuple(Label(f"label_{n}", 50.0, "high") for n in range(6_000))
    answer = ModerationResult(service="s", request_id="R", risk_level="high", labels=labels)
    event = replace(submission(), context=b'{"a":1}', image=replace(submission().image, mime="image/png"))

    record = OUTCOMES.verdict(DECIDING.decide(event, Assessment(answers=(answer,)), 0.0)).record

    value = orjson.loads(record.value or b"")
    assert (value["decision"], value["decided_by"]) == ("block", "policy")
    assert [reason["label"] for reason in value["reasons"]] == [f"label_{n}" for n in range(16)]
    assert value["omitted"] == [
        "subject.type", "image.url", "image.mime", "reasons", "findings", "context",
    ]  # fmt: skip
    assert (value["provider"]["code"], value["provider"]["billed_calls"]) == (200, 1)


def test_verdicts_of_one_huge_key_have_one_key() -> None:
    """
    Its SHA-256, so that their order holds; size and hash stand in headers.
    """
    key = b"k" * 1_048_576
    records = [
        outcome_of(DECIDING.decide(submission(delivery(key=key, offset=n)), Assessment(), 0.0)).record for n in (1, 2)
    ]

    digest = hashlib.sha256(key).hexdigest().encode()
    assert [record.key for record in records] == [digest, digest]
    headers = dict(records[0].headers)
    assert (headers["source_key_size"], headers["source_key_sha256"]) == (b"1048576", digest)


def test_of_ten_thousand_headers_some_are_carried_and_the_rest_counted() -> None:
    """
    Those that have our names, in a verdict; all that fit, in a dead letter that is cut.
    """
    read = delivery(headers=[("ce_id", b"%d" % n) for n in range(10_000)])

    headers = outcome_of(DECIDING.decide(submission(read), Assessment(), 0.0)).record.headers
    letter = OUTCOMES.dead_letter(read, Undecodable("not_json", ""), 0.0)

    assert [value for name, value in headers if name == "original_ce_id"] == [b"%d" % n for n in range(32)]
    assert dict(headers)["original_headers_omitted"] == b"9968"
    assert letter.smaller is not None
    assert len(letter.record.headers) > 10_000
    assert dict(letter.smaller().headers)["dlq_headers_omitted"] == b"9968"


@pytest.mark.parametrize("value", [None, b"", b"\xff" * 3_000_000])
def test_a_cut_dead_letter_says_what_the_message_was(value: bytes | None) -> None:
    """
    Size and SHA-256 of the whole, and its beginning.
    """
    letter = OUTCOMES.dead_letter(delivery(value), Undecodable("not_json", ""), 0.0)

    assert letter.smaller is not None
    cut = letter.smaller()
    headers: dict[str, Any] = dict(cut.headers)
    assert cut.value == (None if value is None else value[:MOST_VALUE])
    assert headers["dlq_truncated"] == b"true"
    assert headers["dlq_size"] == str(len(value or b"")).encode()
    assert headers["dlq_sha256"] == hashlib.sha256(value or b"").hexdigest().encode()
