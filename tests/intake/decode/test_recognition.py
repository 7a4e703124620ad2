"""Which format a message is read in, and what is no known event at all."""

import contextlib

import orjson
import pytest

from consumer.errors import Undecodable
from consumer.intake.decode import Bindings, decode, recognise
from consumer.records import Delivery
from tests.intake.decode.messages import SAMPLES, ignored, message, refused, sample
from tests.rig.events import delivery
from tests.rig.freed import left_behind

EXPECTED = {
    "native": "native",
    "aws_s3": "s3",
    "minio": "s3",
    "ceph": "s3",
    "s3_eventbridge": "s3_eventbridge",
    "s3_test_event": "s3_test",
    "oss": "oss",
    "oss_eventbridge": "cloudevents_structured",
    "cloudevents": "cloudevents_structured",
}


def test_every_sample_is_recognised() -> None:
    """
    Each store's own example is told by its shape, and no sample is left out here.
    """
    assert {name: recognise(message(document)).format for name, document in SAMPLES.items()} == EXPECTED


@pytest.mark.parametrize(
    "value", [b"", b"\xff\xfe{", b"\x1f\x8b", b"[]", b"{}", b'{"Records":[]}', b'{"schema":"image.uploaded.v1"}']
)
def test_a_message_that_is_refused_is_freed_at_once(value: bytes) -> None:
    """
    It may have a megabyte, and a producer that errs sends many: none waits for the garbage collector.
    """
    with left_behind(Delivery) as found, contextlib.suppress(Undecodable):
        decode(message(value), Bindings(()), "group")

    assert found == []


@pytest.mark.parametrize(
    "value, reason",
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xd8\xff\xe0 an image", "not_json"),
        (b'{"schema":"image.uploaded.v1","event_id":"\xff"}', "not_json"),
        (b'{"schema":"\\ud800"}', "not_json"),
        (b'{"schema":NaN}', "not_json"),
        (b'{"bytes":1e999}', "not_json"),
        (b"[" * 200_000, "not_json"),
        (b'{"a":' * 200_000, "not_json"),
        (b"1" * 1_000_000, "not_json"),
        (b"null", "unrecognised"),
        (b"true", "unrecognised"),
        (b"7", "unrecognised"),
        (b'"image.uploaded.v1"', "unrecognised"),
        (b"[]", "unrecognised"),
        (b"[{}]", "unrecognised"),
        (b"{}", "unrecognised"),
        (b'{"Records":[]}', "unrecognised"),
        (b'{"Records":[{"Sns":{}}]}', "unrecognised"),
        (b'{"Records":{"s3":{}}}', "unrecognised"),
        (b'{"events":[]}', "unrecognised"),
        (b'{"events":["oss"]}', "unrecognised"),
        (b'{"detail-type":"Object Created","detail":{}}', "unrecognised"),
        (b'{"Event":"s3:Other"}', "unrecognised"),
        (b'{"specversion":"1.0","type":"image.uploaded.v1","id":"1"}', "unrecognised"),
    ],
)
def test_what_is_no_known_event_is_refused_and_never_dropped(value: bytes, reason: str) -> None:
    """
    It may be an upload in a form that nobody told us of, so a person gets to see it.
    """
    assert refused(message(value))[0] == reason
    assert recognise(message(value)).format == "unrecognised"


def test_a_record_without_a_value_is_ignored() -> None:
    """
    A tombstone asks for nothing, whatever its headers say.
    """
    headers = [("content-type", b"application/cloudevents+json")]

    assert ignored(delivery(None)) == ignored(delivery(None, headers=headers)) == "no_value"
    assert recognise(delivery(None)).format == "no_value"


def test_a_name_that_repeats_counts_once() -> None:
    """
    JSON leaves open which of two counts; here it is the last, and the rest of the message is read as ever.
    """
    twice = orjson.dumps(sample("s3_test_event")).replace(b'"Event":', b'"Event":"s3:Other","Event":')

    assert recognise(message(twice)).format == "s3_test"
    assert ignored(message(twice)) == "test_event"
