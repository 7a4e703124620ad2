"""
CloudEvents 1.x on Kafka: `structured`, the whole event in the value, and `binary`, its attributes in headers.

What an event carries is one of the other formats: a native event, the OSS event of Alibaba's EventBridge, the single
record that CloudEvents' adapter for S3 puts there, or any bucket notification that some bridge has wrapped. Its id is
the event's id. A type that is no upload is ignored, but a payload that has an upload's shape is read whatever its type
is called: ignoring it could let an image through unseen.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from consumer.errors import Undecodable
from consumer.intake.decode import native, oss, s3
from consumer.intake.decode.bindings import media_type
from consumer.intake.decode.formats import NOTIFICATIONS
from consumer.intake.decode.members import Document, optional_text, parse, required_text
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Headers

STRUCTURED = "cloudevents_structured"
BINARY = "cloudevents_binary"
BATCH = "cloudevents_batch"
FOREIGN = "cloudevents_foreign"

_UPLOADS = (native.FAMILY, "oss:ObjectCreated:", "com.amazonaws.s3.ObjectCreated:")
_REQUIRED = ("specversion", "type", "source", "id")
_PREFIX = "ce_"


def declared(headers: Headers) -> str | None:
    """Name the content mode that a record's headers tell of, if they do."""
    if not headers:
        return None
    last = _last(headers)
    content_type = last.get("content-type")
    media = media_type(content_type.decode("utf-8", "replace")) if content_type else ""
    if media.startswith("application/cloudevents"):
        modes = {"application/cloudevents+json": STRUCTURED, "application/cloudevents-batch+json": BATCH}
        return modes.get(media, FOREIGN)
    if all(last.get(_PREFIX + name) is not None for name in _REQUIRED):
        return BINARY
    return None


def fits(document: Document) -> bool:
    """Tell whether the document has the attributes that every CloudEvent has."""
    return "specversion" in document and "type" in document and "source" in document and "id" in document


def read_structured(event: Document, origin: Origin) -> Decoded:
    """
    Read an event whose attributes stand beside its `data`.

    Raises:
        Undecodable: the event or its data cannot be read.
    """
    return _read(event, lambda: _data(event), "data.", origin)


def read_binary(value: bytes, headers: Headers, origin: Origin) -> Decoded:
    """
    Read an event whose attributes are headers and whose value is the data.

    Raises:
        Undecodable: the event or its data cannot be read.
    """
    return _read(_attributes(headers), lambda: parse(value), "", origin)


def _read(event: Mapping[str, Any], data: Callable[[], Any], where: str, origin: Origin) -> Decoded:
    attributes = dict(event)
    if not required_text(attributes, "specversion").startswith("1."):
        raise Rejection.UNKNOWN_SCHEMA.at("specversion", "is not 1.x")
    kind = required_text(attributes, "type")
    required_text(attributes, "source")
    inner = Origin(
        origin.delivery,
        origin.bindings,
        origin.group,
        event_id=required_text(attributes, "id"),
        event_time=optional_text(attributes, "time"),
    )
    is_upload = kind.startswith(_UPLOADS)
    try:
        payload = data()
    except Undecodable:
        if is_upload:
            raise
        return Omission.NOT_AN_UPLOAD.ignored
    try:
        decoded = _read_payload(payload, kind, inner)
    except Undecodable as error:
        raise Undecodable(error.reason, where + error.detail) from None
    if decoded is not None:
        return decoded
    if is_upload:
        raise Rejection.UNRECOGNISED.at(where.rstrip(".") or "value", "does not carry what the event's type promises")
    return Omission.NOT_AN_UPLOAD.ignored


def _read_payload(payload: object, kind: str, origin: Origin) -> Decoded | None:
    """Read what an event carries; None where it has no upload's shape."""
    if not isinstance(payload, dict):
        return None
    schema = payload.get("schema")
    if kind.startswith(native.FAMILY) or (isinstance(schema, str) and schema.startswith(native.FAMILY)):
        return native.read({"schema": kind, **payload}, origin)
    if "oss" in payload:
        named = {"eventName": kind} if kind.startswith("oss:") else {}
        return oss.read_bridged({**named, **payload}, origin)
    if "s3" in payload and "eventName" in payload:
        return s3.read_bridged(payload, origin)
    for notification in NOTIFICATIONS:
        if notification.fits(payload):
            return notification.read(payload, origin)
    return None


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
    for name, value in _last(headers).items():
        if name.startswith(_PREFIX) and value is not None:
            try:
                attributes[name.removeprefix(_PREFIX)] = value.decode()
            except UnicodeDecodeError:
                raise Rejection.BAD_MEMBER.at("header ce_*", "must be UTF-8") from None
    return attributes


def _last(headers: Headers) -> dict[str, bytes | None]:
    """Of a name that repeats the last counts, as for Kafka's own clients; HTTP bridges capitalise names."""
    return {name.lower(): value for name, value in headers}
