"""
S3 notifications that come through Amazon EventBridge: one object a message, with its key as it is.
"""

from consumer.intake.decode.format import Format
from consumer.intake.decode.members import (
    Document,
    optional_size,
    optional_text,
    optional_timestamp,
    required_object,
    required_text,
)
from consumer.intake.decode.notifications import MAX_KEY, CreatedObject, Kinds, digest, read_one
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission
from consumer.records import Decoded, Ignored

# Created is said for every way: `detail.reason` tells PutObject, CopyObject and the others apart.
KINDS = Kinds(
    (),
    creations=("Object Created",),
    others=(
        "Object Deleted",
        "Object Restore Initiated",
        "Object Restore Completed",
        "Object Restore Expired",
        "Object Storage Class Changed",
        "Object Access Tier Changed",
        "Object ACL Updated",
        "Object Tags Added",
        "Object Tags Deleted",
    ),
)


def _fits(document: Document) -> bool:
    """Tell whether the document has `detail-type`, `detail.bucket` and `detail.object`."""
    detail = document.get("detail")
    return "detail-type" in document and isinstance(detail, dict) and "bucket" in detail and "object" in detail


def _read(document: Document, origin: Origin) -> Decoded:
    """
    Return the submission for the created object.

    Raises:
        Undecodable: the event cannot be read.
    """
    return read_one(document, _read_event, origin)


EVENT = Format(
    name="s3_eventbridge",
    fits=_fits,
    shape={
        "required": ["detail-type", "detail"],
        "properties": {"detail": {"type": "object", "required": ["bucket", "object"]}},
    },
    read=_read,
)


def _read_event(event: Document, where: str, origin: Origin) -> CreatedObject | Ignored:
    if not KINDS.creates(required_text(event, "detail-type", where), where + "detail-type"):
        return Omission.NOT_A_CREATION.ignored
    detail = required_object(event, "detail", where)
    item = required_object(detail, "object", where + "detail.")
    where_object = where + "detail.object."
    bucket = required_object(detail, "bucket", where + "detail.")
    name = required_text(bucket, "name", where + "detail.bucket.")
    key = required_text(item, "key", where_object, limit=MAX_KEY)
    version = optional_text(item, "version-id", where_object)
    etag = optional_text(item, "etag", where_object)
    event_id = origin.event_id or optional_text(event, "id", where)
    return CreatedObject(
        store="s3",
        bucket=name,
        key=key,
        encoded=False,
        event_id=event_id or digest(name, key, version or etag, optional_text(item, "sequencer", where_object)),
        event_time=optional_timestamp(event, "time", where) or origin.time,
        region=optional_text(event, "region", where),
        version=version,
        etag=etag,
        size=optional_size(item, "size", where_object),
        content_type=None,
        where=where_object + "key",
    )
