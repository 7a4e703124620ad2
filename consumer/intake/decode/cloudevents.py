"""
CloudEvents 1.x on Kafka: `structured`, the whole event in the value, and `binary`, its attributes in headers.

What an event carries is one of the other formats: a native event, the OSS event of Alibaba's EventBridge, the single
record that CloudEvents' adapter for S3 puts there, or any bucket notification that some bridge has wrapped. Its id is
the event's id. `reading.py` reads it, whatever the type is called: ignoring it could let an image through unseen.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

from consumer.intake.decode.bindings import media_type
from consumer.intake.decode.members import Document, optional_text, parse, required_text
from consumer.intake.decode.reasons import Rejection
from consumer.records import Headers

STRUCTURED = "cloudevents_structured"
BINARY = "cloudevents_binary"
BATCH = "cloudevents_batch"
FOREIGN = "cloudevents_foreign"

S3 = "com.amazonaws.s3."
UPLOADS = ("image.uploaded.", "oss:ObjectCreated:", S3 + "ObjectCreated:")
"""Types that promise an upload: what does not keep the promise is never ignored."""
NO_UPLOADS = ("oss:CloudMonitor:",)
"""Types that are known to tell of no object."""

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


class Envelope(NamedTuple):
    """The attributes that count, and the data with its path."""

    type: str
    id: str
    time: str | None
    data: Callable[[], Any]
    """`Undecodable` escapes where the data cannot be read."""
    where: str


def structured(event: Document) -> Envelope:
    """
    Open an event whose attributes stand beside its `data`.

    Raises:
        Undecodable: an attribute is missing or wrong.
    """
    return _envelope(event, lambda: _data(event), "data.")


def binary(value: bytes, headers: Headers) -> Envelope:
    """
    Open an event whose attributes are headers and whose value is the data.

    Raises:
        Undecodable: an attribute is missing or wrong.
    """
    return _envelope(_attributes(headers), lambda: parse(value), "")


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
