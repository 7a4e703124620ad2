"""The registry of formats: in which order they are tried, and that one more is read wherever the others are."""

from itertools import combinations
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumer.errors import Undecodable
from consumer.intake.decode import decode, recognise
from consumer.intake.decode.format import Format, Formats
from consumer.intake.decode.formats import FORMATS
from consumer.intake.decode.members import Document
from consumer.intake.decode.native import UPLOADED
from consumer.intake.decode.origin import Origin
from consumer.records import Decoded, Delivery, Headers, Ignored
from tests.intake.decode.messages import (
    BINDINGS,
    GROUP,
    SAMPLES,
    ignored,
    ignoring,
    message,
    refused,
    sample,
    submitted,
)
from tests.intake.decode.test_properties import DOCUMENTS, NASTY, changed, paths

SHAPES: dict[str, dict[str, Any]] = {
    "cloudevents_structured": sample("cloudevents"),
    "s3": sample("aws_s3"),
    "s3_eventbridge": sample("s3_eventbridge"),
    "oss": sample("oss"),
    "argo": {"notification": sample("minio")["Records"]},
    "native": sample("native"),
    "s3_test": sample("s3_test_event"),
    "sns": {"TopicArn": "arn:aws:sns:eu-west-1:1:uploads", "Message": "{}"},
    "sqs": {"body": "{}"},
}
"""A document of each shape, in the order in which they are tried."""

ATTRIBUTES = [("ce_specversion", b"1.0"), ("ce_type", b"image.uploaded.v1"), ("ce_source", b"/s"), ("ce_id", b"1")]
EMPTY = {"specversion": "1.0", "type": "empty", "source": "/s", "id": "1"}
HOLDS_NONE = "holds no JSON object with the shape of a known event"
UNLISTED = "is no upload that is known; to ignore its events, list it under cloudevents.ignore"
HEADERS: dict[str, Headers] = {
    "cloudevents_structured": [("content-type", b"application/cloudevents+json"), *ATTRIBUTES],
    "cloudevents_batch": [("content-type", b"application/cloudevents-batch+json"), *ATTRIBUTES],
    "cloudevents_foreign": [("content-type", b"application/cloudevents+avro"), *ATTRIBUTES],
    "cloudevents_binary": ATTRIBUTES,
}


def test_every_format_has_a_name_and_an_example_here() -> None:
    """
    None is added without a test of its place in the order.
    """
    names = [each.name for each in FORMATS.all]

    assert len(set(names)) == len(names)
    assert [each.name for each in FORMATS.by_shape] == list(SHAPES)
    assert [each.name for each in FORMATS.by_headers] == list(HEADERS)


@pytest.mark.parametrize(("first", "second"), [*combinations(SHAPES, 2), *((name, name) for name in SHAPES)])
def test_of_two_shapes_the_earlier_counts(first: str, second: str) -> None:
    """
    A message that fits two formats is read as one of them, always the same.
    """
    assert recognise(message({**SHAPES[second], **SHAPES[first]})).format == first


@pytest.mark.parametrize("schema", ["image.uploaded.v2", "another", "", None, 7])
def test_a_document_that_names_a_schema_is_taken_for_a_native_event(schema: object) -> None:
    """
    Whichever it names, and whatever else is missing: the dead letter says that the schema is not known.
    """
    read = message({"schema": schema})

    assert (recognise(read).format, refused(read)[0]) == ("native", "unknown_schema")


@pytest.mark.parametrize("name", HEADERS)
def test_what_headers_declare_comes_before_any_shape(name: str) -> None:
    """
    A content type of CloudEvents comes before their attributes, and both before what the value looks like.
    """
    assert {recognise(message(shape, HEADERS[name])).format for shape in SHAPES.values()} == {name}


@pytest.mark.parametrize(
    ("kind", "data", "detail"),
    [
        ("image.uploaded.v1", {"oss": {}, "s3": {}, "eventName": "x"}, "data.subject: is required"),
        ("other", {"schema": "image.uploaded.v1", "oss": {}, "s3": {}}, "data.subject: is required"),
        ("other", {"oss": {}, "s3": {}, "eventName": "ObjectCreated:PutObject"}, "data.oss.object: is required"),
        ("other", {"s3": {}, "eventName": "ObjectCreated:Put", "body": "7"}, "data.s3.object: is required"),
        ("com.amazonaws.s3.ObjectCreated:Put", {"s3": {}, "body": "7"}, "data.s3.object: is required"),
        ("other", {"s3": {}, "body": "7"}, f"data.body: {HOLDS_NONE}"),
        ("other", {"schema": "another", "body": "7"}, f"data.body: {HOLDS_NONE}"),
        ("other", {**EMPTY, "schema": "image.uploaded.v1"}, f"data.type: 'empty' {UNLISTED}"),
    ],
)
def test_of_what_a_cloudevent_may_carry_the_earlier_counts(kind: str, data: Document, detail: str) -> None:
    """
    Native events come first, then single events of OSS, then single records of S3, then shapes.
    """
    event = {"specversion": "1.0", "type": kind, "source": "/s", "id": "1", "time": "2026-11-20T10:00:00Z"}

    assert refused(message({**event, "data": data}))[1] == detail


def _read_postcard(document: Document, origin: Origin) -> Decoded:
    return Ignored(f"postcard from {document['postcard']}")


POSTCARD = Format(
    name="postcard",
    declared=lambda headers: headers.get("postcard") == b"yes",
    fits=lambda document: "postcard" in document,
    read=_read_postcard,
    promised_by=("com.example.postcard.",),
)
CARD = {"postcard": "Rome"}


def as_text(document: object) -> str:
    return orjson.dumps(document).decode()


def cloudevent(data: object, kind: str = "other") -> Document:
    return {"specversion": "1.0", "type": kind, "source": "/s", "id": "1", "data": data}


@pytest.mark.parametrize(
    "read",
    [
        message(CARD),
        message(as_text(CARD)),
        message({"TopicArn": "t", "Message": as_text(CARD)}),
        message({"Records": [{"body": as_text(CARD)}]}),
        message(cloudevent(CARD)),
        message(cloudevent(cloudevent(as_text({"body": CARD})))),
        message(CARD, [*ATTRIBUTES, ("ce_type", b"other")]),
        message({**sample("native"), **CARD}, [("Postcard", b"yes")]),
    ],
)
def test_one_more_format_is_read_wherever_the_others_are(read: Delivery) -> None:
    """
    Bare, declared by a header, in every envelope and in CloudEvents: a format is one value.
    """
    more = Formats(*FORMATS.all, POSTCARD)

    assert decode(read, BINDINGS, GROUP, formats=more) == Ignored("postcard from Rome")


def test_one_more_format_changes_no_other() -> None:
    """
    What was of a format stays so, and without the new one its messages are none.
    """
    more = Formats(*FORMATS.all, POSTCARD)

    for document in SAMPLES.values():
        assert recognise(message(document), formats=more).format == recognise(message(document)).format
    assert refused(message(CARD))[0] == "unrecognised"
    assert len(submitted(message({**sample("native"), **CARD}))) == 2


def test_a_type_that_promises_one_more_format_is_never_ignored() -> None:
    """
    Where the event carries something else it is a dead letter.
    """
    more, event = Formats(*FORMATS.all, POSTCARD), message(cloudevent({"order": 1}, "com.example.postcard.sent"))

    assert ignored(event, rules=ignoring("*")) == "not_an_upload"
    with pytest.raises(Undecodable, match="does not carry what the event's type promises"):
        decode(event, BINDINGS, GROUP, ignoring("*"), formats=more)


SHAPED = [each for each in FORMATS.by_shape if each.shape is not None]


@pytest.mark.parametrize("form", SHAPED, ids=[each.name for each in SHAPED])
def test_a_shape_says_what_fits_does(form: Format) -> None:
    """
    For every sample with each of its members changed, and for every other document.
    """
    assert form.shape is not None
    validator = Draft202012Validator({"type": "object", **form.shape})

    @given(document=DOCUMENTS.filter(lambda document: isinstance(document, dict)), into=st.sampled_from([*SHAPES]))
    def agree(document: Document, into: str) -> None:
        for each in (document, {**SHAPES[into], **document}):
            assert validator.is_valid(each) == form.fits(each)

    agree()
    for name, shape in SHAPES.items():
        assert validator.is_valid(shape) == form.fits(shape) == (name == form.name)
        for value in (..., *NASTY):
            for path in paths(SHAPES[form.name]):
                each = changed(SHAPES[form.name], path, value)
                assert validator.is_valid(each) == form.fits(each)


def test_every_format_before_the_native_one_has_a_shape() -> None:
    """
    The schema of native events excludes them, as they are read as that format whatever `schema` says.
    """
    names = [each.name for each in FORMATS.by_shape]

    assert [each.name for each in SHAPED] == names[: names.index(UPLOADED.name)]
