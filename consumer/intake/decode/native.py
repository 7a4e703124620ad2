"""
The service's own event, `image.uploaded.v1`: one subject with 1 to 16 images.

The hot path: most messages are native, so each member is read once and nothing is built that is not kept.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from consumer.intake.decode.bindings import by_object
from consumer.intake.decode.cloudevents import is_cloudevent
from consumer.intake.decode.format import Format
from consumer.intake.decode.members import (
    Document,
    named,
    optional_integer,
    optional_object,
    optional_size,
    optional_text,
    required_object,
    required_text,
    timestamp,
    written,
)
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Rejection
from consumer.intake.decode.urls import MAX_URL, web_url
from consumer.locations import ByUrl, Image, ImageLocation, NotAskable, ObjectRef
from consumer.records import Subject, Submission, source_id

SCHEMA = "image.uploaded.v1"
FAMILY = "image.uploaded."
MAX_IMAGES = 16
MAX_CARRIED = 8192  # bytes of JSON that `context`, `attrs` and unknown members take together, over the whole event
NOTHING = b"{}"

_MINOR = re.compile(r"image\.uploaded\.v1(?:\.[0-9]+)*")
_EVENT_MEMBERS = frozenset(
    {"schema", "event_id", "event_time", "tenant", "purpose", "subject", "images", "context", "attrs"}
)
_SUBJECT_MEMBERS = frozenset({"type", "id", "revision"})
_IMAGE_MEMBERS = frozenset({"id", "ref", "url", "mime", "bytes", "sha256"})
_REF_MEMBERS = frozenset({"store", "bucket", "key", "region", "version"})
_UNKNOWN = "unknown members"


def _fits(document: Document) -> bool:
    """Tell whether the document says which schema it follows."""
    return "schema" in document


def _read(document: Document, origin: Origin) -> tuple[Submission, ...]:
    """
    Return a submission for each image of the event.

    `extra` mirrors the event's unknown members, its `images` keyed by id and only the submission's own. `context`,
    `attrs` and unknown members beyond 8 KiB are all left out, and named in `omitted`: the images are judged.

    Raises:
        Undecodable: some rule is broken; nothing of the event is submitted then.
    """
    _check_schema(document["schema"])
    event_id = origin.event_id or required_text(document, "event_id")
    event_time = optional_text(document, "event_time") or origin.event_time or required_text(document, "event_time")
    timestamp(event_time, "event_time")
    tenant = optional_text(document, "tenant") or "default"
    purpose = optional_text(document, "purpose") or "default"
    holder = required_object(document, "subject")
    subject = Subject(
        id=required_text(holder, "id", "subject."),
        type=optional_text(holder, "type", "subject."),
        revision=optional_integer(holder, "revision", "subject."),
    )
    items = _items(document)
    images = [_image(item, index, origin) for index, item in enumerate(items)]
    if len({image.id for image, _ in images}) < len(images):
        raise Rejection.DUPLICATE_IMAGE.at("images", "two of them have the same id")
    carried = _carried(document, holder, items, [image.id for image, _ in images])
    return tuple(
        Submission(
            id=source_id(origin.group, origin.delivery, event_id, image.id),
            delivery=origin.delivery,
            event_id=event_id,
            event_time=event_time,
            tenant=tenant,
            purpose=purpose,
            subject=subject,
            image=image,
            of=len(images),
            location=location,
            context=carried.context,
            attrs=carried.attrs,
            extra=extra,
            omitted=carried.omitted,
        )
        for (image, location), extra in zip(images, carried.extras, strict=True)
    )


def _in_cloudevent(kind: str, data: Document) -> Document | None:
    """
    Tell it by the type, or by its own schema unless it is a CloudEvent. Another's schema says nothing, neither of this
    format nor of the shapes beside it. Where the data names no schema, the type does.
    """
    schema = data.get("schema")
    is_native = isinstance(schema, str) and schema.startswith(FAMILY)
    if kind.startswith(FAMILY) or (is_native and not is_cloudevent(data)):
        return {"schema": kind, **data}
    return None


UPLOADED = Format(name="native", fits=_fits, in_cloudevent=_in_cloudevent, read=_read, promised_by=(FAMILY,))


def _check_schema(schema: object) -> None:
    """Minor versions add members, which are kept; a new major version may change what the old members mean."""
    if schema == SCHEMA:
        return
    if not isinstance(schema, str):
        raise Rejection.UNKNOWN_SCHEMA.at("schema", "must be a string")
    if not _MINOR.fullmatch(schema):
        raise Rejection.UNKNOWN_SCHEMA.at("schema", f"is {named(schema)}, not {SCHEMA}")


def _items(document: Document) -> list[Document]:
    items = document.get("images")
    if items is None or items == []:
        raise Rejection.MISSING_MEMBER.at("images", "at least one is required")
    if not isinstance(items, list):
        raise Rejection.BAD_MEMBER.at("images", "must be an array")
    if len(items) > MAX_IMAGES:
        raise Rejection.TOO_MANY.at("images", f"more than {MAX_IMAGES}")
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise Rejection.BAD_MEMBER.at(f"images[{index}]", "must be an object")
    return items


def _image(item: Document, index: int, origin: Origin) -> tuple[Image, ImageLocation | NotAskable]:
    where = f"images[{index}]."
    url = optional_text(item, "url", where, limit=MAX_URL)
    ref, location = _reach(url, _ref(item, where), where, origin)
    image = Image(
        id=optional_text(item, "id", where) or str(index),
        url=url if ref is None else None,
        ref=ref,
        mime=optional_text(item, "mime", where),
        size=optional_size(item, "bytes", where),
        sha256_claimed=optional_text(item, "sha256", where),
    )
    return image, location


def _ref(item: Document, where: str) -> ObjectRef | None:
    ref = optional_object(item, "ref", where)
    if ref is None:
        return None
    where += "ref."
    return ObjectRef(
        store=required_text(ref, "store", where),
        bucket=required_text(ref, "bucket", where),
        key=required_text(ref, "key", where),
        region=optional_text(ref, "region", where),
        version=optional_text(ref, "version", where),
    )


def _reach(
    url: str | None, ref: ObjectRef | None, where: str, origin: Origin
) -> tuple[ObjectRef | None, ImageLocation | NotAskable]:
    """Return the one thing that is judged and shown, an object or else the URL, and the way to it."""
    by_url = None if url is None else ByUrl(web_url(url, where + "url"))
    if ref is None:
        if by_url is None:
            raise Rejection.MISSING_MEMBER.at(where.rstrip("."), "url or ref is required")
        return None, by_url
    place = origin.bindings.find(ref.bucket, ref.key)
    if place is not None:  # the operator's word for where the object is comes before the producer's
        ref = place.named(ref)
        return ref, place.location(ref, where + "ref.key")
    if by_url is not None:
        what = f"has url and ref, and no binding for {named(ref.bucket)} says which image the object is"
        raise Rejection.AMBIGUOUS.at(where.rstrip("."), what)
    if ref.store == "oss" and origin.bindings.opens(ref.bucket):
        return ref, by_object(ref, where + "ref.region")
    raise Rejection.UNBOUND_BUCKET.at(where + "ref.bucket", f"no binding covers the object in {named(ref.bucket)}")


class _Carried(NamedTuple):
    """What is carried along unread, as compact JSON objects: no parsed tree outlives its message's decoding."""

    context: bytes
    attrs: bytes
    extras: Sequence[bytes]  # an image each
    omitted: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(omitted={self.omitted})"  # an uploader may carry tokens along


def _carried(document: Document, holder: Document, items: list[Document], ids: list[str]) -> _Carried:
    context = _written(optional_object(document, "context"), "context")
    attrs = _written(optional_object(document, "attrs"), "attrs")
    common = _unknown(document, _EVENT_MEMBERS)
    if of_subject := _unknown(holder, _SUBJECT_MEMBERS):
        common["subject"] = of_subject
    own = [_unknown_of_image(item) for item in items]
    unknown = [each for each in (common, *own) if each]
    sizes = {
        "context": len(context),
        "attrs": len(attrs),
        "extra": sum(len(_written(each, _UNKNOWN)) for each in unknown),
    }
    if sum(size for size in sizes.values() if size > len(NOTHING)) > MAX_CARRIED:
        omitted = tuple(name for name, size in sizes.items() if size > len(NOTHING))
        return _Carried(NOTHING, NOTHING, [NOTHING] * len(items), omitted)
    if not unknown:
        return _Carried(context, attrs, [NOTHING] * len(items))
    shared = _written(common, _UNKNOWN)
    extras = [
        _written({**common, "images": {image_id: each}}, _UNKNOWN) if each else shared
        for image_id, each in zip(ids, own, strict=True)
    ]
    return _Carried(context, attrs, extras)


def _unknown_of_image(item: Document) -> Document:
    unknown = _unknown(item, _IMAGE_MEMBERS)
    ref = item.get("ref")
    if ref and (of_ref := _unknown(ref, _REF_MEMBERS)):
        unknown["ref"] = of_ref
    return unknown


def _unknown(document: Document, known: frozenset[str]) -> Document:
    if document.keys() <= known:
        return {}
    return {name: value for name, value in document.items() if name not in known}


def _written(members: Document | None, where: str) -> bytes:
    return written(members, where) if members else NOTHING
