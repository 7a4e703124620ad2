"""
Bucket notifications as S3 sends them: AWS, MinIO and Ceph's object gateway, one record an object.

MinIO puts `s3:` before the event's name and encodes the key's slashes too. Ceph calls its source `ceph:s3` and writes
the key as it is (`decode_keys: false` in the binding says so); its documentation shows the size as a string.
"""

from consumer.intake.decode.format import Format, list_shape
from consumer.intake.decode.members import (
    Document,
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

_ADAPTER = "com.amazonaws.s3."  # how the types of CloudEvents' adapter for S3 begin

KINDS = Kinds(
    ("s3:",),
    creations=(
        "ObjectCreated:Put",
        "ObjectCreated:Post",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
    ),
    others=(
        # MinIO's, which begin like creations.
        "ObjectCreated:PutTagging",
        "ObjectCreated:DeleteTagging",
        "ObjectCreated:PutRetention",
        "ObjectCreated:PutLegalHold",
        # AWS, MinIO and Ceph; what ends in a colon stands for all that begin so. What is synchronised or replicated
        # was uploaded elsewhere.
        "ObjectRemoved:",
        "ObjectRestore:",
        "ObjectTagging:",
        "ObjectAcl:",
        "ObjectAccessed:",
        "ObjectReplication:",
        "ObjectTransition:",
        "ObjectLifecycle:",
        "ObjectSynced:",
        "Replication:",
        "LifecycleExpiration:",
        "LifecycleTransition",
        "LifecycleTransition:",
        "IntelligentTiering",
        "IntelligentTiering:",
        "ReducedRedundancyLostObject",
        "BucketCreated",
        "BucketCreated:",
        "BucketRemoved",
        "BucketRemoved:",
        "Scanner:",
        "ILM:",
        "TestEvent",
    ),
)


def _fits(document: Document) -> bool:
    """Tell whether the document has `Records[].s3`."""
    records = document.get("Records")
    return isinstance(records, list) and any(isinstance(record, dict) and "s3" in record for record in records)


def _read(document: Document, origin: Origin) -> Decoded:
    """
    Return a submission for each record whose object is new and included.

    Raises:
        Undecodable: some record cannot be read; nothing of the message is submitted then.
    """
    return read_records(document["Records"], "Records", _read_record, origin)


def _fits_argo(document: Document) -> bool:
    """Tell whether the document has `notification[].s3`, as Argo Events hands on what MinIO tells."""
    records = document.get("notification")
    return isinstance(records, list) and any(isinstance(record, dict) and "s3" in record for record in records)


def _read_argo(document: Document, origin: Origin) -> Decoded:
    """
    Return a submission for each record whose object is new and included.

    Raises:
        Undecodable: as of `read`.
    """
    return read_records(document["notification"], "notification", _read_record, origin)


def _in_cloudevent(kind: str, data: Document) -> Document | None:
    """Tell the single record that CloudEvents' adapter for S3 carries; the type names its kind where it does not."""
    if "s3" not in data:
        return None
    if kind.startswith(_ADAPTER):
        return {"eventName": kind.removeprefix(_ADAPTER), **data}
    return data if "eventName" in data else None


def _read_single(record: Document, origin: Origin) -> Decoded:
    """
    Return the submission for the one record that a CloudEvent carries.

    Raises:
        Undecodable: the record cannot be read.
    """
    return read_one(record, _read_record, origin)


def _is_test(document: Document) -> bool:
    """Tell whether this is what S3 sends once when notifications are set up."""
    return document.get("Event") == "s3:TestEvent"


def _read_test(document: Document, origin: Origin) -> Ignored:
    """A test event asks for nothing."""
    return Omission.TEST_EVENT.ignored


RECORDS = Format(
    name="s3",
    fits=_fits,
    shape=list_shape("Records", "s3"),
    read=_read,
)
ARGO = Format(name="argo", fits=_fits_argo, shape=list_shape("notification", "s3"), read=_read_argo)
TEST = Format(name="s3_test", fits=_is_test, read=_read_test)
IN_CLOUDEVENT = Format(
    name="s3_in_cloudevent",
    in_cloudevent=_in_cloudevent,
    read=_read_single,
    promised_by=(_ADAPTER + "ObjectCreated:",),
)


def _read_record(record: Document, where: str, origin: Origin) -> CreatedObject | Ignored:
    if not KINDS.creates(required_text(record, "eventName", where), where + "eventName"):
        return Omission.NOT_A_CREATION.ignored
    entity = required_object(record, "s3", where)
    where_object = where + "s3.object."
    item = required_object(entity, "object", where + "s3.")
    bucket = required_text(required_object(entity, "bucket", where + "s3."), "name", where + "s3.bucket.")
    key = required_text(item, "key", where_object, limit=MAX_KEY)
    version = optional_text(item, "versionId", where_object)
    etag = optional_text(item, "eTag", where_object)
    sequencer = optional_text(item, "sequencer", where_object)
    return CreatedObject(
        store="s3",
        bucket=bucket,
        key=key,
        encoded=True,
        event_id=origin.event_id or digest(bucket, key, version or etag, sequencer),
        event_time=optional_timestamp(record, "eventTime", where) or origin.time,
        region=optional_text(record, "awsRegion", where),
        version=version,
        etag=etag,
        size=optional_size(item, "size", where_object),
        content_type=optional_text(item, "contentType", where_object),
        where=where_object + "key",
    )
