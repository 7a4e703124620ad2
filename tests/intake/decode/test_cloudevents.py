"""CloudEvents in both content modes, and what is and is not an upload among them."""

import base64
from typing import Any

import orjson
import pytest

from consumer.intake.decode import NO_RULES, recognise
from consumer.records import Headers
from tests.intake.decode.messages import REMOVE, ignored, ignoring, message, refused, sample, submitted

STRUCTURED: Headers = [("content-type", b"application/cloudevents+json")]
NATIVE_DATA = sample("cloudevents")["data"]


def attributes(**changes: bytes | None) -> Headers:
    """The headers of a binary event, with changes."""
    headers: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_type": b"image.uploaded.v1",
        "ce_source": b"/shop/uploads",
        "ce_id": b"ce-7f3a",
        "ce_time": b"2026-11-20T10:00:01Z",
        "content-type": b"application/json",
        **changes,
    }
    return list(headers.items())


def test_both_modes_say_the_same() -> None:
    """
    One event becomes the same submission whether its attributes stand in the value or in headers.
    """
    structured = submitted(message(sample("cloudevents"), STRUCTURED))
    bare = submitted(message(sample("cloudevents")))
    binary = submitted(message(NATIVE_DATA, attributes()))

    assert [each.id for each in structured] == [each.id for each in bare] == [each.id for each in binary]
    assert binary[0].event_id == "ce-7f3a"
    assert binary[0].event_time == "2026-11-20T10:00:01Z"
    assert binary[0].subject == structured[0].subject


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"Application/CloudEvents+JSON; charset=UTF-8",
        b"application/cloudevents+json;x=y",
    ],
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
def test_the_content_type_is_compared_without_case_and_parameters(name: str, content_type: bytes) -> None:
    """
    Media types have no case, and a charset changes nothing.
    """
    assert recognise(message(b"{}", [(name, content_type)])).format == "cloudevents_structured"


def test_the_envelopes_id_is_the_events_and_its_time_stands_in() -> None:
    """
    A wrapped native event is known by its CloudEvents id; its own time counts where it has one.
    """
    wrapped = sample("cloudevents", data=sample("native"))
    without_time = sample("cloudevents", data=sample("native", event_time=REMOVE))

    first, _ = submitted(message(wrapped))
    stand_in, _ = submitted(message(without_time))

    assert (first.event_id, first.event_time) == ("ce-7f3a", "2026-11-20T10:00:00.000Z")
    assert (stand_in.event_id, stand_in.event_time) == ("ce-7f3a", "2026-11-20T10:00:01Z")
    assert first.extra == b"{}"


@pytest.mark.parametrize("kind", ["com.example.upload", "io.example.s3.created"])
@pytest.mark.parametrize("name", ["native", "aws_s3", "minio", "s3_eventbridge", "oss", "oss_eventbridge"])
def test_an_uploads_shape_is_read_whatever_the_type_is_called(name: str, kind: str) -> None:
    """
    Bridges choose types of their own, and ignoring such an event could let an image through unseen.
    """
    payload = sample(name)["data"] if name == "oss_eventbridge" else sample(name)
    event = sample("cloudevents", type=kind, data=payload)

    submissions = submitted(message(event))

    assert {each.event_id for each in submissions} == {"ce-7f3a"}
    assert len({each.id for each in submissions}) == (2 if name == "native" else 1)


@pytest.mark.parametrize(
    "data", [{"order": 1}, {"schema": "order.created.v1"}, {"Records": []}, [], "text", 7, None, REMOVE]
)
def test_a_type_that_is_no_upload_is_ignored_only_where_it_is_listed(data: object) -> None:
    """
    Other events may share the topic, and the operator says which: what is ignored is never looked at.
    """
    event = message(sample("cloudevents", type="com.example.order.created", data=data))

    assert ignored(event, rules=ignoring("com.example.order.*")) == "not_an_upload"
    for rules in (NO_RULES, ignoring("com.example.Order.*"), ignoring("order.created")):
        assert refused(event, rules=rules) == (
            "unknown_type",
            "type: 'com.example.order.created' is no upload that is known; to ignore its events, list it under "
            "cloudevents.ignore",
        )


def test_what_is_not_json_is_ignored_where_the_type_is_listed() -> None:
    """
    A binary event of another kind may carry anything, Avro for one.
    """
    headers = attributes(ce_type=b"com.example.order.created", **{"content-type": b"application/avro"})
    event = message(b"Obj\x01\x04", headers)

    assert ignored(event, rules=ignoring("*.order.*")) == "not_an_upload"
    assert refused(event)[0] == "unknown_type"


@pytest.mark.parametrize("name", ["native", "aws_s3", "minio", "s3_eventbridge", "oss", "oss_eventbridge"])
def test_an_upload_is_read_even_where_its_type_is_listed(name: str) -> None:
    """
    A glob that is too wide must not let images through unseen.
    """
    payload = sample(name)["data"] if name == "oss_eventbridge" else sample(name)
    event = message(sample("cloudevents", type="com.example.forwarded", data=payload))

    assert submitted(event, rules=ignoring("*"))


@pytest.mark.parametrize(
    "kind", ["image.uploaded.v1", "oss:ObjectCreated:PutObject", "com.amazonaws.s3.ObjectCreated:Put"]
)
@pytest.mark.parametrize("data", [[], "text", 7, None, REMOVE])
def test_an_uploads_type_with_something_else_inside_is_refused(data: object, kind: str) -> None:
    """
    The type promises an upload, so what cannot be read of it is a dead letter and never ignored.
    """
    event = sample("cloudevents", type=kind, data=data)

    assert refused(message(event)) == ("unrecognised", "data: does not carry what the event's type promises")


@pytest.mark.parametrize("kind", ["image.uploaded.v2", "image.uploaded.v3.1"])
def test_a_type_of_another_major_version_is_refused(kind: str) -> None:
    """
    Where the data names no schema, the type does.
    """
    reason, detail = refused(message(sample("cloudevents", type=kind)))

    assert (reason, detail) == ("unknown_schema", f"data.schema: is '{kind}', not image.uploaded.v1")


@pytest.mark.parametrize("version", ["0.3", "2.0", "one"])
def test_another_major_version_of_cloudevents_is_refused(version: str) -> None:
    """
    What its attributes mean is not known, not even whether the type is an upload.
    """
    event = sample("cloudevents", specversion=version, type="com.example.order.created")

    assert refused(message(event)) == ("unknown_schema", "specversion: is not 1.x")


@pytest.mark.parametrize("name", ["specversion", "type", "source", "id"])
def test_every_required_attribute_must_be_a_text(name: str) -> None:
    """
    A structured event without one of them is broken, and says which.
    """
    absent = sample("cloudevents", **{name: REMOVE})
    wrong = sample("cloudevents", **{name: 1})

    assert refused(message(absent, STRUCTURED)) == ("missing_member", f"{name}: is required")
    assert refused(message(wrong)) == ("bad_member", f"{name}: must be a string")


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_type", "ce_source", "ce_id"])
def test_a_record_is_binary_only_with_all_four_headers(missing: str) -> None:
    """
    Where one is absent or null, the value is judged by its own shape.
    """
    null = attributes(**{missing: None})
    absent = [(name, value) for name, value in null if name != missing]

    assert [recognise(message(sample("native"), headers)).format for headers in (null, absent)] == ["native", "native"]
    assert len(submitted(message(sample("native"), absent))) == 2


def test_of_headers_that_repeat_the_last_counts() -> None:
    """
    Kafka allows it, and its own clients take the last.
    """
    headers = [("ce_id", b"first"), ("content-type", b"application/cloudevents-batch+json"), *attributes()]

    (submission,) = submitted(message(NATIVE_DATA, headers))

    assert submission.event_id == "ce-7f3a"


def test_headers_that_are_not_utf_8_are_refused() -> None:
    """
    An id that cannot be written down cannot name an event.
    """
    assert refused(message(NATIVE_DATA, attributes(ce_id=b"\xff"))) == ("bad_member", "header ce_*: must be UTF-8")


def test_a_content_type_that_is_not_utf_8_says_nothing() -> None:
    """
    The value's shape decides then.
    """
    headers: Headers = [("content-type", b"application/\xff")]

    assert recognise(message(sample("native"), headers)).format == "native"


def test_batches_are_refused() -> None:
    """
    Kafka's binding of CloudEvents has no batches.
    """
    batch = message([sample("cloudevents")], [("content-type", b"application/cloudevents-batch+json; charset=utf-8")])

    assert refused(batch)[0] == "cloudevents_batch"


def test_other_event_formats_of_cloudevents_are_refused() -> None:
    """
    An event in Avro may be an upload; it is not dropped.
    """
    assert refused(message(b"Obj\x01", [("content-type", b"application/cloudevents+avro")]))[0] == "unrecognised"


def test_data_may_be_base64() -> None:
    """
    A producer that treats its payload as bytes writes `data_base64`, which holds the same JSON.
    """
    encoded = base64.b64encode(orjson.dumps(NATIVE_DATA)).decode()
    event = sample("cloudevents", data=REMOVE, data_base64=encoded)

    (submission,) = submitted(message(event))

    assert submission.id == submitted(message(sample("cloudevents")))[0].id


@pytest.mark.parametrize(
    "encoded, reason",
    [("*", "bad_member"), (5, "bad_member"), (["e30="], "bad_member"), ("é", "bad_member"), ("", "not_json"),
     ("e30", "bad_member"), ("/w==", "not_json")],
)  # fmt: skip
def test_base64_that_holds_no_json_is_refused(encoded: Any, reason: str) -> None:
    """
    Neither what is no base64 nor what is no JSON inside of it can be read.
    """
    event = sample("cloudevents", data=REMOVE, data_base64=encoded)

    got, detail = refused(message(event))

    assert got == reason
    assert detail.startswith("data_base64: ")


def test_the_detail_says_where_in_the_data_it_is() -> None:
    """
    In structured mode the path begins at the value, in binary mode the value is the data.
    """
    data = {**NATIVE_DATA, "images": [{"url": "gopher://x"}]}

    structured = refused(message(sample("cloudevents", data=data)))
    binary = refused(message(data, attributes()))

    assert structured == ("bad_url", "data.images[0].url: must be http or https, with a host in ASCII")
    assert binary == ("bad_url", "images[0].url: must be http or https, with a host in ASCII")


def test_the_type_names_the_kind_of_an_oss_event_that_does_not() -> None:
    """
    EventBridge may be told to leave out members; a type of its own says what happened, any other type does not.
    """
    created = sample("oss_eventbridge", data__eventName=REMOVE)
    part = sample("oss_eventbridge", data__eventName=REMOVE, type="oss:ObjectCreated:UploadPart")
    unknown = sample("oss_eventbridge", data__eventName=REMOVE, type="com.example.upload")

    assert len(submitted(message(created))) == 1
    assert ignored(message(part)) == "not_a_creation"
    assert refused(message(unknown)) == ("missing_member", "data.eventName: is required")


def test_an_oss_event_keeps_its_own_time() -> None:
    """
    The envelope's time stands in only where the event tells none.
    """
    told = sample("oss_eventbridge", data__eventTime="2026-11-20T09:59:59Z")
    untold = sample("oss_eventbridge", data__eventTime=REMOVE)

    assert submitted(message(told))[0].event_time == "2026-11-20T09:59:59Z"
    assert submitted(message(untold))[0].event_time == "2026-11-20T10:00:00Z"
