"""
What is ignored is never looked at: so what may hold an upload is opened, judged, or a dead letter.

The files in `reported/` are made anew after reports of messages that others had passed over, or that ended them.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.config.bindings import Binding, Include
from consumer.intake.decode import Bindings
from consumer.intake.decode.origin import MAX_ENVELOPES
from tests.intake.decode.messages import REMOVE, ignored, ignoring, message, refused, sample, submitted

REPORTED = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "reported").glob("*.json")}
PLACE: dict[str, Any] = {"via": "url", "url": "https://cdn.example.com/{key}"}
WHERE = Bindings(
    (
        Binding(bucket="ugc", **PLACE, include=Include(keys=("*.jpg", "*.png"))),
        Binding(bucket="ugc-ct", **PLACE, include=Include(content_types=("image/*",))),
        Binding(bucket="ugc-all", **PLACE),
    )
)
Wrap = Callable[[Any], Any]


def upload(key: str = "a.jpg", bucket: str = "ugc-all", **item: Any) -> dict[str, Any]:
    """A notification of one created object."""
    changes: dict[str, Any] = {"Records__0__s3__bucket__name": bucket, "Records__0__s3__object__key": key}
    return sample("aws_s3", **changes, **{f"Records__0__s3__object__{name}": value for name, value in item.items()})


def cloudevent(data: Any, kind: str = "dev.knative.kafka.event") -> dict[str, Any]:
    return {"specversion": "1.0", "type": kind, "source": "/x", "id": "ce-1", "data": data}


def as_base64(document: Any) -> str:
    return base64.b64encode(orjson.dumps(document)).decode()


def as_text(document: Any) -> str:
    return orjson.dumps(document).decode()


def as_base64_data(document: Any) -> dict[str, Any]:
    return {**cloudevent(None), "data_base64": as_base64(document)}


def in_sns(document: Any) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:t", "Message": as_text(document)}


def in_sqs(document: Any) -> dict[str, Any]:
    return {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": as_text(document)}]}


def in_argo(document: Any) -> dict[str, Any]:
    return cloudevent({"notification": document["Records"]}, "minio")


ENVELOPES: dict[str, Wrap] = {
    "text": as_text,
    "base64": as_base64,
    "base64 in lines": lambda document: base64.encodebytes(orjson.dumps(document)).decode(),
    "base64 for URLs, without its end": lambda document: (
        base64.urlsafe_b64encode(json.dumps({**document, "x": "?>~ÿ"}, ensure_ascii=False).encode())
        .decode()
        .rstrip("=")
    ),
    "CloudEvent": cloudevent,
    "CloudEvent of text": lambda document: cloudevent(as_text(document)),
    "CloudEvent of base64": lambda document: cloudevent(as_base64(document)),
    "CloudEvent with data_base64": as_base64_data,
    "CloudEvent in a CloudEvent": lambda document: cloudevent(cloudevent(document)),
    "CloudEvent as text in a CloudEvent": lambda document: cloudevent(as_text(cloudevent(as_text(document)))),
    "Argo": in_argo,
    "Argo, bare": lambda document: {"notification": document["Records"]},
    "SNS": in_sns,
    "SNS to Lambda": lambda document: {"Records": [{"EventSource": "aws:sns", "Sns": in_sns(document)}]},
    "SQS": in_sqs,
    "SQS, received": lambda document: {"Messages": [{"MessageId": "m", "Body": as_text(document)}]},
    "SNS in SQS": lambda document: in_sqs(in_sns(document)),
    "SNS in SQS in a CloudEvent": lambda document: cloudevent(in_sqs(in_sns(document))),
    "SNS in SQS in a CloudEvent's base64": lambda document: as_base64_data(in_sqs(in_sns(document))),
    "SQS by way of Argo": lambda document: cloudevent({"body": document}, "sqs"),
}


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("argo_in_cloudevent", "judged"),
        ("text_in_cloudevent", "judged"),
        ("type_that_says_nothing", "judged"),
        ("key_in_upper_case", "judged"),
        ("unknown_creation", "unknown_creation"),
        ("url_brackets", "bad_url"),
        ("url_fullwidth_slash", "bad_url"),
    ],
)
def test_what_was_reported_is_judged_or_a_dead_letter(name: str, becomes: str) -> None:
    """
    None is passed over in silence, and no detail tells a URL.
    """
    read = message(REPORTED[name])

    if becomes == "judged":
        assert len(submitted(read, WHERE)) == 1
    else:
        reason, detail = refused(read, WHERE)
        assert reason == becomes
        assert "s3cr3t" not in detail


def test_each_report_is_tested() -> None:
    """
    The files and the cases are the same.
    """
    assert len(REPORTED) == 7


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_an_envelope_is_opened(envelope: str) -> None:
    """
    The image in it is the one that would be judged without it.
    """
    [plain] = submitted(message(upload()), WHERE)

    [opened] = submitted(message(ENVELOPES[envelope](upload())), WHERE)

    assert (opened.image.ref, opened.location, opened.subject) == (plain.image.ref, plain.location, plain.subject)


@pytest.mark.parametrize("envelope", [name for name in ENVELOPES if "base64 for URLs" not in name])
def test_what_is_wrong_inside_an_envelope_is_a_dead_letter(envelope: str) -> None:
    """
    It is no less so than without it, whatever may be ignored.
    """
    broken = sample("aws_s3", Records__0__s3__object__key=REMOVE)

    assert refused(message(ENVELOPES[envelope](broken)), WHERE, ignoring("*"))[0] == "missing_member"


@pytest.mark.parametrize("wrap", [cloudevent, in_sns, in_sqs, lambda document: {"body": document}])
def test_envelopes_without_end_are_a_dead_letter(wrap: Wrap) -> None:
    """
    However they are nested, they are neither followed for ever nor as deep as Python's stack.
    """
    held: Any = upload()
    for _ in range(MAX_ENVELOPES + 1):
        held = wrap(held)

    assert refused(message(held), WHERE)[0] == "unrecognised"


@pytest.mark.parametrize("beginning", [b'{"body":', b'{"specversion":"1.0","type":"t","source":"s","id":"i","data":'])
def test_a_thousand_envelopes_raise_nothing_else(beginning: bytes) -> None:
    """
    As deep as the parser follows.
    """
    value = beginning * 1_000 + orjson.dumps(upload()) + b"}" * 1_000

    assert refused(message(value), WHERE)[0] in ("unrecognised", "not_json")


def test_a_cloudevent_is_ignored_by_a_written_rule_only() -> None:
    """
    A type that nobody listed is a dead letter, which says how to list it; one that is listed and an upload is judged.
    """
    other = message(cloudevent({"order": 1}, "com.example.order:paid.v1"))

    assert refused(other) == (
        "unknown_type",
        "type: 'com.example.order:paid.v1' is no upload that is known; "
        "to ignore its events, list it under cloudevents.ignore",
    )
    assert refused(other, rules=ignoring("com.example.Order*"))[0] == "unknown_type"
    assert ignored(other, rules=ignoring("com.example.*")) == "not_an_upload"
    assert len(submitted(message(cloudevent(upload())), WHERE, ignoring("*"))) == 1


@pytest.mark.parametrize("data", [None, "hello", "e30=", 5, [], [upload()], {}, {"Records": []}])
def test_a_cloudevent_without_an_upload_is_a_dead_letter(data: Any) -> None:
    """
    Whatever it carries.
    """
    assert refused(message(cloudevent(data)), WHERE)[0] == "unknown_type"


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("aws_s3", "ObjectCreated:PutExtract"),
        ("aws_s3", "s3:ObjectCreated:"),
        ("aws_s3", "ObjectMade"),
        ("oss", "ObjectCreated:PutVector"),
        ("s3_eventbridge", "Object-Born"),
    ],
)
def test_a_creation_of_an_unknown_kind_is_a_dead_letter(member: str, name: str) -> None:
    """
    It may be an image of a release to come; the detail names it.
    """
    path = {"aws_s3": "Records__0__eventName", "oss": "events__0__eventName", "s3_eventbridge": "detail-type"}[member]

    reason, detail = refused(message(sample(member, **{path: name})))

    assert reason == "unknown_creation"
    assert detail.endswith(f"is {name!r}, which may create an object")


@pytest.mark.parametrize(
    "key",
    ["A.JPG", "a.Png", "a.jpg.", "a.jpg+", "a.jpg%20", "a.jpg. .", "a.jpg%00", "a.jpg%E2%80%8B", "a.jp%67", "a%0A.jpg"],
)
def test_globs_look_at_neither_case_nor_a_keys_end(key: str) -> None:
    """
    Nobody goes around moderation by a key that is shown as an image all the same.
    """
    assert len(submitted(message(upload(key, "ugc")), WHERE)) == 1


@pytest.mark.parametrize(
    "told",
    ["application/octet-stream", "Application/Octet-Stream; charset=binary", " ", "", ";", "binary/octet-stream",
     "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*", "undefined", "Image/JPEG",
     "image/jpeg;q=1", " image/png "],
)  # fmt: skip
def test_a_type_that_says_nothing_decides_nothing(told: str) -> None:
    """
    The uploader chooses it; what neither key nor type decides is judged.
    """
    assert len(submitted(message(upload("a", "ugc-ct", contentType=told)), WHERE)) == 1


def test_what_include_leaves_out_is_ignored() -> None:
    """
    As the operator has written it.
    """
    assert ignored(message(upload("a.txt", "ugc")), WHERE) == "not_included"
    assert ignored(message(upload("a", "ugc-ct", contentType="text/plain")), WHERE) == "not_included"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a+b.jpg", "a b.jpg"),
        ("a%2Bb.jpg", "a+b.jpg"),
        ("a%252Bb.jpg", "a%2Bb.jpg"),
        ("a b+c.jpg", "a b+c.jpg"),
        ("é+b.jpg", "é+b.jpg"),
        ("照片+1.jpg", "照片+1.jpg"),
        ("100%+sure.jpg", "100%+sure.jpg"),
        ("a%20b+c.jpg", "a b c.jpg"),
    ],
)
def test_a_key_with_raw_characters_was_not_encoded(written: str, key: str) -> None:
    """
    Then its `+` is a plus.
    """
    [submission] = submitted(message(upload(written)), WHERE)

    assert submission.image.ref is not None
    assert submission.image.ref.key == key


UNNEEDED = {
    "aws_s3": ["Records__0__eventTime", "Records__0__awsRegion", "Records__0__eventVersion", "Records__0__eventSource",
               "Records__0__s3__object__eTag", "Records__0__s3__object__versionId", "Records__0__s3__object__size",
               "Records__0__s3__object__sequencer"],
    "oss": ["events__0__eventTime", "events__0__responseElements", "events__0__eventVersion", "events__0__eventSource",
            "events__0__oss__object__size"],
    "s3_eventbridge": ["time", "region", "id", "version", "source", "detail__object__version-id",
                       "detail__object__size"],
}  # fmt: skip


@pytest.mark.parametrize("name", UNNEEDED)
def test_a_notification_that_lacks_only_what_is_not_needed_is_read(name: str) -> None:
    """
    One by one, and all together: Kafka's timestamp and a hash serve.
    """
    for lacks in ([member] for member in UNNEEDED[name]):
        document = sample(name)
        _take(document, lacks)
        [submission] = submitted(message(document))
        assert submission.event_id
    document = sample(name)
    _take(document, UNNEEDED[name])

    [submission] = submitted(message(document))

    assert submission.event_time == "2025-11-20T10:00:00.123Z"
    assert len(submission.event_id) == 32


def _take(document: dict[str, Any], members: list[str]) -> None:
    for member in members:
        *parents, last = member.split("__")
        holder: Any = document
        for step in parents:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        holder.pop(last, None)
