"""
CloudEvents 1.x on Kafka: `structured`, the whole event in the value, and `binary`, its attributes in headers.

What an event carries is one of the other formats: a native event, the OSS event of Alibaba's EventBridge, the single
record that CloudEvents' adapter for S3 puts there, or any bucket notification that some bridge has wrapped. Its id is
the event's id. It is read whatever the type is called: ignoring it could let an image through unseen.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

from consumer.errors import Undecodable
from consumer.intake.decode.bindings import media_type
from consumer.intake.decode.format import Format, HeadersByName, by_name
from consumer.intake.decode.members import Document, document_in, named, optional_text, parse, required_text
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Headers

_REQUIRED = ("specversion", "type", "source", "id")
_PREFIX = "ce_"


def is_cloudevent(document: Document) -> bool:
    """Tell whether the document has the attributes that every CloudEvent has."""
    return "specversion" in document and "type" in document and "source" in document and "id" in document


class Envelope(NamedTuple):
    """The attributes that count, and the data with its path."""

    type: str
    id: str
    time: str | None
    data: Callable[[], Any]
    """`Undecodable` escapes where the data cannot be read."""
    where: str


def _read_structured(event: Document, origin: Origin) -> Decoded:
    """
    Read an event whose attributes stand beside its `data`.

    Raises:
        Undecodable: the event or its data cannot be read.
    """
    return _read_event(_envelope(event, lambda: _data(event), "data."), origin)


def _read_binary(value: bytes, origin: Origin) -> Decoded:
    """
    Read an event whose attributes are headers and whose value is the data.

    Raises:
        Undecodable: the event or its data cannot be read.
    """
    return _read_event(_envelope(_attributes(origin.delivery.headers), lambda: parse(value), ""), origin)


def _refuse_batch(_: bytes, origin: Origin) -> Decoded:
    raise Rejection.CLOUDEVENTS_BATCH.at("header content-type", "Kafka has no batches of CloudEvents")


def _refuse_foreign(_: bytes, origin: Origin) -> Decoded:
    raise Rejection.UNRECOGNISED.at("header content-type", "of CloudEvents, only the JSON format is read")


STRUCTURED = Format(
    name="cloudevents_structured",
    declared=lambda headers: _media_type(headers) == "application/cloudevents+json",
    fits=is_cloudevent,
    shape={"required": [*_REQUIRED]},
    read=_read_structured,
)
BATCH = Format(
    name="cloudevents_batch",
    declared=lambda headers: _media_type(headers) == "application/cloudevents-batch+json",
    reads_bytes=True,
    read=_refuse_batch,
)
FOREIGN = Format(
    name="cloudevents_foreign",
    declared=lambda headers: _media_type(headers).startswith("application/cloudevents"),
    reads_bytes=True,
    read=_refuse_foreign,
)
BINARY = Format(
    name="cloudevents_binary",
    declared=lambda headers: all(headers.get(_PREFIX + name) is not None for name in _REQUIRED),
    reads_bytes=True,
    read=_read_binary,
)


def _media_type(headers: HeadersByName) -> str:
    content_type = headers.get("content-type")
    return media_type(content_type.decode("utf-8", "replace")) if content_type else ""


def _read_event(event: Envelope, origin: Origin) -> Decoded:
    """An event that is no upload is ignored if its type is listed or known; what its type promises must be there."""
    inner, formats = origin.inside(event.id, event.time), origin.formats
    promises = event.type.startswith(formats.promised_by)
    may_ignore = not promises and (origin.rules.ignore(event.type) or event.type.startswith(formats.not_uploads))
    decoded = None
    try:
        payload = event.data()
    except Undecodable:
        if promises:
            raise
    else:
        try:
            decoded = _read_payload(payload, event.type, inner)
        except Undecodable as error:
            if not (may_ignore and error.reason == Rejection.UNKNOWN_TYPE):
                raise Undecodable(error.reason, event.where + error.detail) from None
    if decoded is not None:
        return decoded
    if promises:
        where = event.where.rstrip(".") or "value"
        raise Rejection.UNRECOGNISED.at(where, "does not carry what the event's type promises")
    if may_ignore:
        return Omission.NOT_AN_UPLOAD.ignored
    what = f"{named(event.type)} is no upload that is known; to ignore its events, list it under cloudevents.ignore"
    raise Rejection.UNKNOWN_TYPE.at("type", what)


def _read_payload(payload: object, kind: str, origin: Origin) -> Decoded | None:
    """Read what an event carries; None where it has no upload's shape."""
    if isinstance(payload, str):
        payload = document_in(payload)
    if not isinstance(payload, dict):
        return None
    found = origin.formats.in_cloudevent(kind, payload)
    return None if found is None else found.read(origin)


def _envelope(attributes: Document, data: Callable[[], Any], where: str) -> Envelope:
    if not required_text(attributes, "specversion").startswith("1."):
        raise Rejection.UNKNOWN_SCHEMA.at("specversion", "is not 1.x")
    required_text(attributes, "source")
    return Envelope(
        required_text(attributes, "type"),
        required_text(attributes, "id"),
        optional_text(attributes, "time"),
        data,
        where,
    )


def _data(event: Document) -> Any:
    if event.get("data") is not None:
        return event["data"]
    encoded = event.get("data_base64")
    if encoded is None:
        return None
    try:
        return parse(base64.b64decode(encoded, validate=True), "data_base64")
    except (TypeError, binascii.Error, ValueError):
        raise Rejection.BAD_MEMBER.at("data_base64", "must be base64") from None


def _attributes(headers: Headers) -> Document:
    attributes = {}
    for name, value in by_name(headers).items():
        if name.startswith(_PREFIX) and value is not None:
            try:
                attributes[name.removeprefix(_PREFIX)] = value.decode()
            except UnicodeDecodeError:
                raise Rejection.BAD_MEMBER.at("header ce_*", "must be UTF-8") from None
    return attributes
