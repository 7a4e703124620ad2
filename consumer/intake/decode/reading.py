"""
Reads whatever a message or an envelope holds, envelopes inside envelopes included.

Nothing is read twice: what is opened is smaller than what it was in, and there are few of them inside one another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from consumer.errors import Undecodable
from consumer.intake.decode import cloudevents, native, oss, s3
from consumer.intake.decode.cloudevents import Envelope
from consumer.intake.decode.envelopes import Content, document_in, opened
from consumer.intake.decode.formats import BARE, Reader
from consumer.intake.decode.members import Document, named
from consumer.intake.decode.notifications import MAX_RECORDS
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Headers, Ignored, Submission, source_id

TEXT = "text"


class Recognised(NamedTuple):
    """The format of a document, and how to read it."""

    format: str
    read: Reader
    """`Undecodable` escapes, and nothing else."""


def recognised(document: object) -> Recognised | None:
    """Tell the format of what a value or an envelope holds; None of what has an upload's shape nowhere."""
    if isinstance(document, str):
        inside = document_in(document)
        return None if inside is None else Recognised(TEXT, partial(_read_parts, [Content(inside, "")]))
    if not isinstance(document, dict):
        return None
    if cloudevents.fits(document):
        return Recognised(cloudevents.STRUCTURED, partial(read_structured, document))
    for shape in BARE:
        if shape.fits(document):
            return Recognised(shape.name, partial(shape.read, document))
    envelope = opened(document)
    return None if envelope is None else Recognised(envelope[0], partial(_read_parts, envelope[1]))


def read_structured(event: Document, origin: Origin) -> Decoded:
    """
    Read a CloudEvent whose attributes stand beside its `data`.

    Raises:
        Undecodable: the event or its data cannot be read.
    """
    return _read_event(cloudevents.structured(event), origin)


def read_binary(value: bytes, headers: Headers, origin: Origin) -> Decoded:
    """
    Read a CloudEvent whose attributes are headers and whose value is the data.

    Raises:
        Undecodable: the event or its data cannot be read.
    """
    return _read_event(cloudevents.binary(value, headers), origin)


def _read_event(event: Envelope, origin: Origin) -> Decoded:
    """An event that is no upload is ignored if its type is listed or known; what its type promises must be there."""
    inner = origin.inside(event.id, event.time)
    promises = event.type.startswith(cloudevents.UPLOADS)
    may_ignore = not promises and (origin.rules.ignore(event.type) or event.type.startswith(cloudevents.NO_UPLOADS))
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
    """Read what a CloudEvent carries; None where it has no upload's shape."""
    if isinstance(payload, str):
        payload = document_in(payload)
    if not isinstance(payload, dict):
        return None
    schema = payload.get("schema")
    is_native = isinstance(schema, str) and schema.startswith(native.FAMILY)
    if kind.startswith(native.FAMILY) or (is_native and not cloudevents.fits(payload)):
        return native.read({"schema": kind, **payload}, origin)
    if "oss" in payload:
        return oss.read_bridged({**_event_name(kind, "oss:", ""), **payload}, origin)
    if "s3" in payload and ("eventName" in payload or kind.startswith(cloudevents.S3)):
        return s3.read_bridged({**_event_name(kind, cloudevents.S3, cloudevents.S3), **payload}, origin)
    if "schema" in payload and not is_native:  # another's schema says nothing of the shapes beside it
        payload = {name: value for name, value in payload.items() if name != "schema"}
    found = recognised(payload)
    return None if found is None else found.read(origin)


def _event_name(kind: str, prefix: str, removed: str) -> Mapping[str, Any]:
    """The type names the kind of event where the data does not."""
    return {"eventName": kind.removeprefix(removed)} if kind.startswith(prefix) else {}


def _read_parts(parts: Sequence[Content], origin: Origin) -> Decoded:
    """
    Read what an envelope holds, all or nothing. Of several parts each image's id begins with its part's index.

    Raises:
        Undecodable: some part is no upload that can be read.
    """
    if len(parts) > MAX_RECORDS:
        raise Rejection.TOO_MANY.at(parts[0].path.partition("[")[0], f"more than {MAX_RECORDS}")
    inner = origin.inside()
    read = [_read_part(part, inner) for part in parts]
    if len(read) == 1:
        return read[0]
    kept = [(index, each) for index, part in enumerate(read) if not isinstance(part, Ignored) for each in part]
    if not kept:
        return next(part for part in read if isinstance(part, Ignored))
    if len(kept) > MAX_RECORDS:
        raise Rejection.TOO_MANY.at(parts[0].path.partition("[")[0], f"more than {MAX_RECORDS} images")
    return tuple(_renamed(each, f"{index}.{each.image.id}", len(kept), origin) for index, each in kept)


def _read_part(part: Content, origin: Origin) -> Decoded:
    where = f"{part.path}." if part.path else ""
    found = recognised(part.held)
    if found is None:
        raise Rejection.UNRECOGNISED.at(part.path or "value", "holds no JSON object with the shape of a known event")
    try:
        return found.read(origin)
    except Undecodable as error:
        raise Undecodable(error.reason, where + error.detail) from None


def _renamed(submission: Submission, image: str, of: int, origin: Origin) -> Submission:
    return replace(
        submission,
        id=source_id(origin.group, origin.delivery, submission.event_id, image),
        image=replace(submission.image, id=image),
        of=of,
    )
