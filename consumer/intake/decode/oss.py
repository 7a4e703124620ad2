"""
Alibaba Cloud OSS notifications: `events[]` as its message service sends them, and the single event that EventBridge
puts into a CloudEvent's `data`.
"""

from consumer.intake.decode.format import Format, list_shape
from consumer.intake.decode.members import (
    MAX_TEXT,
    Document,
    optional_object,
    optional_size,
    optional_text,
    optional_timestamp,
    required_object,
    required_text,
)
from consumer.intake.decode.notifications import MAX_KEY, CreatedObject, Kinds, digest, read_one, read_records
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission
from consumer.records import Decoded, Ignored

KINDS = Kinds(
    ("oss:",),
    creations=(
        "ObjectCreated:PutObject",
        "ObjectCreated:PostObject",
        "ObjectCreated:CopyObject",
        "ObjectCreated:AppendObject",
        "ObjectCreated:CompleteMultipartUpload",
    ),
    others=(
        # Vendor: these are called ObjectCreated too; no object exists yet, or a link to one that was uploaded.
        "ObjectCreated:InitiateMultipartUpload",
        "ObjectCreated:UploadPart",
        "ObjectCreated:UploadPartCopy",
        "ObjectCreated:PutSymlink",
        # What ends in a colon stands for all that begin so. What is replicated was uploaded elsewhere.
        "ObjectRemoved:",
        "ObjectDownloaded:",
        "ObjectReplication:",
        "ObjectRestore:",
        "ObjectTagging:",
        "ObjectAcl:",
    ),
)


def _fits(document: Document) -> bool:
    """Tell whether the document has `events[].oss`."""
    events = document.get("events")
    return isinstance(events, list) and any(isinstance(event, dict) and "oss" in event for event in events)


def _read(document: Document, origin: Origin) -> Decoded:
    """
    Return a submission for each event whose object is new and included.

    Raises:
        Undecodable: some event cannot be read; nothing of the message is submitted then.
    """
    return read_records(document["events"], "events", _read_event, origin)


def _in_cloudevent(kind: str, data: Document) -> Document | None:
    """Tell what EventBridge carries by its member `oss`; the type names the kind of event where the data does not."""
    if "oss" not in data:
        return None
    return {"eventName": kind, **data} if kind.startswith("oss:") else data


def _read_single(event: Document, origin: Origin) -> Decoded:
    """
    Return the submission for the event that EventBridge carries.

    Raises:
        Undecodable: the event cannot be read.
    """
    return read_one(event, _read_event, origin)


EVENTS = Format(
    name="oss",
    fits=_fits,
    shape=list_shape("events", "oss"),
    read=_read,
)
IN_CLOUDEVENT = Format(
    name="oss_in_cloudevent",
    in_cloudevent=_in_cloudevent,
    read=_read_single,
    promised_by=("oss:ObjectCreated:",),
    not_uploads=("oss:CloudMonitor:",),
)


def _read_event(event: Document, where: str, origin: Origin) -> CreatedObject | Ignored:
    if not KINDS.creates(required_text(event, "eventName", where), where + "eventName"):
        return Omission.NOT_A_CREATION.ignored
    entity = required_object(event, "oss", where)
    item = required_object(entity, "object", where + "oss.")
    where_object = where + "oss.object."
    key = required_text(item, "key", where_object, limit=MAX_KEY)
    meta = optional_object(item, "objectMeta", where_object) or {}
    bucket = required_text(required_object(entity, "bucket", where + "oss."), "name", where + "oss.bucket.")
    etag = optional_text(item, "eTag", where_object)
    return CreatedObject(
        store="oss",
        bucket=bucket,
        key=key,
        encoded=False,
        event_id=origin.event_id or _event_id(event, where, bucket, key, etag),
        event_time=optional_timestamp(event, "eventTime", where) or origin.time,
        region=optional_text(event, "region", where),
        version=None,
        etag=etag,
        size=optional_size(item, "size", where_object),
        content_type=optional_text(meta, "mimeType", where_object + "objectMeta."),
        where=where_object + "key",
    )


def _event_id(event: Document, where: str, bucket: str, key: str, tag: str | None) -> str:
    elements = optional_object(event, "responseElements", where) or {}
    request_id = optional_text(elements, "requestId", where + "responseElements.")
    if request_id is None:
        return digest(bucket, key, tag)
    event_id = f"{request_id}/{key}"
    return event_id if len(event_id) <= MAX_TEXT else digest(request_id, key)
