"""
S3 notifications that come through Amazon EventBridge: one object a message, with its key as it is.
"""

from consumer.intake.decode.members import (
    Document,
    optional_size,
    optional_text,
    required_object,
    required_text,
    required_timestamp,
)
from consumer.intake.decode.notifications import MAX_KEY, CreatedObject, read_one
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission
from consumer.records import Decoded, Ignored

CREATION = "Object Created"  # for every way: `detail.reason` tells PutObject, CopyObject and the others apart


def fits(document: Document) -> bool:
    """Tell whether the document has `detail-type`, `detail.bucket` and `detail.object`."""
    detail = document.get("detail")
    return "detail-type" in document and isinstance(detail, dict) and "bucket" in detail and "object" in detail


def read(document: Document, origin: Origin) -> Decoded:
    """
    Return the submission for the created object.

    Raises:
        Undecodable: the event cannot be read.
    """
    return read_one(document, _read_event, origin)


def _read_event(event: Document, where: str, origin: Origin) -> CreatedObject | Ignored:
    if required_text(event, "detail-type", where) != CREATION:
        return Omission.NOT_A_CREATION.ignored
    detail = required_object(event, "detail", where)
    item = required_object(detail, "object", where + "detail.")
    where_object = where + "detail.object."
    bucket = required_object(detail, "bucket", where + "detail.")
    return CreatedObject(
        store="s3",
        bucket=required_text(bucket, "name", where + "detail.bucket."),
        key=required_text(item, "key", where_object, limit=MAX_KEY),
        encoded=False,
        event_id=origin.event_id or required_text(event, "id", where),
        event_time=required_timestamp(event, "time", where),
        region=optional_text(event, "region", where),
        version=optional_text(item, "version-id", where_object),
        size=optional_size(item, "size", where_object),
        content_type=None,
        where=where_object + "key",
    )
