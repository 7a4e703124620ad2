"""
Alibaba Cloud OSS notifications: `events[]` as its message service sends them, and the single event that EventBridge
puts into a CloudEvent's `data`.
"""

from consumer.intake.decode.members import (
    Document,
    optional_object,
    optional_size,
    optional_text,
    required_object,
    required_text,
    timestamp,
)
from consumer.intake.decode.notifications import MAX_KEY, CreatedObject, read_one, read_records
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission
from consumer.records import Decoded, Ignored

# Vendor: InitiateMultipartUpload, UploadPart and UploadPartCopy are called ObjectCreated too; no object exists yet.
CREATIONS = frozenset(
    {
        "ObjectCreated:PutObject",
        "ObjectCreated:PostObject",
        "ObjectCreated:CopyObject",
        "ObjectCreated:AppendObject",
        "ObjectCreated:CompleteMultipartUpload",
    }
)


def fits(document: Document) -> bool:
    """Tell whether the document has `events[].oss`."""
    events = document.get("events")
    return isinstance(events, list) and any(isinstance(event, dict) and "oss" in event for event in events)


def read(document: Document, origin: Origin) -> Decoded:
    """
    Return a submission for each event whose object is new and included.

    Raises:
        Undecodable: some event cannot be read; nothing of the message is submitted then.
    """
    return read_records(document["events"], "events", _read_event, origin)


def read_bridged(event: Document, origin: Origin) -> Decoded:
    """
    Return the submission for the event that EventBridge carries.

    Raises:
        Undecodable: the event cannot be read.
    """
    return read_one(event, _read_event, origin)


def _read_event(event: Document, where: str, origin: Origin) -> CreatedObject | Ignored:
    if required_text(event, "eventName", where).removeprefix("oss:") not in CREATIONS:
        return Omission.NOT_A_CREATION.ignored
    entity = required_object(event, "oss", where)
    item = required_object(entity, "object", where + "oss.")
    where_object = where + "oss.object."
    key = required_text(item, "key", where_object, limit=MAX_KEY)
    meta = optional_object(item, "objectMeta", where_object) or {}
    event_time = (
        optional_text(event, "eventTime", where) or origin.event_time or required_text(event, "eventTime", where)
    )
    return CreatedObject(
        store="oss",
        bucket=required_text(required_object(entity, "bucket", where + "oss."), "name", where + "oss.bucket."),
        key=key,
        encoded=False,
        event_id=origin.event_id or f"{_request_id(event, where)}/{key}",
        event_time=timestamp(event_time, where + "eventTime"),
        region=optional_text(event, "region", where),
        version=None,
        size=optional_size(item, "size", where_object),
        content_type=optional_text(meta, "mimeType", where_object + "objectMeta."),
        where=where_object + "key",
    )


def _request_id(event: Document, where: str) -> str:
    elements = required_object(event, "responseElements", where)
    return required_text(elements, "requestId", where + "responseElements.")
