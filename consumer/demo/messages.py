"""
How the producers of uploads write their messages: an application, CloudEvents' libraries, and buckets' stores. Pure.

Written after the producers' documentation, with nothing of the service's code: what the service misreads, the demo is
to notice.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

import orjson

from consumer.vendor_facts.aliyun import DEFAULT_REGION

S3_BUCKET: Final = "ugc-s3"
MINIO_BUCKET: Final = "ugc-minio"
CEPH_BUCKET: Final = "ugc-ceph"
OSS_BUCKET: Final = "ugc-oss"
PRIVATE_BUCKET: Final = "ugc-private"
STRANGE_BUCKET: Final = "somebody-elses"
"""The configuration binds all of these buckets but the last."""

RED: Final = "summer 2026/Müller+Söhne.jpg"
ORANGE: Final = "50% off/one + one.jpg"
YELLOW: Final = "a&b=c/100%25.jpg"
OBJECTS: Final[Mapping[str, str]] = {RED: "red.jpg", ORANGE: "orange.jpg", YELLOW: "yellow.jpg"}
"""
The files in every bound bucket, by key. The keys have all that is awkward in keys: S3 and MinIO encode them in their
notifications, the others write them as they are.
"""
ANIMATION: Final = "animated.gif"
PRIVATE_OBJECTS: Final[Mapping[str, str]] = {**OBJECTS, ANIMATION: "animated.gif"}
"""The files in the private bucket, by key."""
WITHDRAWN: Final = "withdrawn.jpg"
"""A key whose object is gone by the time that somebody looks."""

_Json = dict[str, Any]

_TENANT: Final = "shop-eu"
_MIME: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
_SIZE: Final = 4_711  # bytes, of any object: it is not compared


@dataclass(frozen=True, slots=True)
class Site:
    """Where the images are: an address, and what is there by file name."""

    url: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    """What tells one message from the next."""

    number: int
    turn: int
    """How many of its kind came before."""
    time: str  # RFC 3339
    subject: str
    revision: int


class Message(NamedTuple):
    """What is published."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


Writer = Callable[[Serial, Site], Message]

Data = Callable[[Serial, Site], _Json]
"""What a CloudEvent carries."""


def in_turn(*writers: Writer) -> Writer:
    """Messages by one after the other."""
    return lambda serial, site: writers[serial.turn % len(writers)](serial, site)


def tombstone(serial: Serial, _: Site) -> Message:
    """A key without a value."""
    return Message(_key(serial), None)


def text(serial: Serial, _: Site) -> Message:
    """No JSON."""
    return Message(None, f"image {serial.number} was uploaded".encode())


def document(content: _Json) -> Writer:
    """JSON of any shape."""
    return _unkeyed(lambda _: content)


def native(*files: str, folder: str = "uploads", schema: str = "image.uploaded.v1", scheme: str = "http") -> Writer:
    """An application's events in the service's own schema, with these images."""

    def write(serial: Serial, site: Site) -> Message:
        address = site.url.replace("http", scheme, 1)
        event = {
            "schema": schema,
            "event_id": f"demo-{serial.number}",
            "event_time": serial.time,
            "tenant": _TENANT,
            "purpose": "avatar",
            "subject": _subject(serial),
            "images": [
                {"id": str(index), "url": f"{address}/{folder}/{serial.number}/{file}", **_about(file, site.files)}
                for index, file in enumerate(files)
            ],
        }
        return Message(_key(serial), orjson.dumps(event))

    return write


def uploaded(file: str) -> Data:
    """An upload of this image. Its id and time are left to the envelope."""

    def write(serial: Serial, site: Site) -> _Json:
        image = {"url": f"{site.url}/uploads/{serial.number}/{file}", **_about(file, site.files)}
        return {"tenant": _TENANT, "purpose": "avatar", "subject": _subject(serial), "images": [image]}

    return write


def ordered(serial: Serial, _: Site) -> _Json:
    """An order, which is nothing that this service knows."""
    return {"order": serial.number, "total": "12.50"}


def structured(kind: str, data: Data, *, told: bool = True) -> Writer:
    """CloudEvents of a type, whole in the value. Where no header has `told` so, only their shape does."""

    def write(serial: Serial, site: Site) -> Message:
        event = {**_attributes(kind, serial), "datacontenttype": "application/json", "data": data(serial, site)}
        headers = (("content-type", b"application/cloudevents+json; charset=UTF-8"),) if told else ()
        return Message(_key(serial), orjson.dumps(event), headers)

    return write


def binary(kind: str, data: Data) -> Writer:
    """CloudEvents of a type, with their attributes as headers."""

    def write(serial: Serial, site: Site) -> Message:
        attributes = [(f"ce_{name}", value.encode()) for name, value in _attributes(kind, serial).items()]
        headers = (*attributes, ("content-type", b"application/json"))
        return Message(_key(serial), orjson.dumps(data(serial, site)), headers)

    return write


def s3(*events: tuple[str, str], bucket: str = S3_BUCKET) -> Writer:
    """Notifications as S3 sends them, of these events by name and key: keys are form-encoded, but for their slashes."""
    return _records(
        lambda serial: [_s3_record(serial, name, bucket, {"key": quote_plus(key, safe="/")}) for name, key in events]
    )


def s3_written_as(*objects: _Json) -> Writer:
    """Notifications of S3 with these objects in them, for what no S3 would send."""
    return _records(lambda serial: [_s3_record(serial, "ObjectCreated:Put", S3_BUCKET, each) for each in objects])


def s3_test(serial: Serial, _: Site) -> Message:
    """What S3 sends once when notifications are set up."""
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": serial.time, "Bucket": S3_BUCKET}
    return Message(None, orjson.dumps(event))


def minio(
    name: str, key: str, *, content_type: str = "image/jpeg", bucket: str = MINIO_BUCKET, put: str | None = None
) -> Writer:
    """
    Notifications as MinIO sends them: by the object's path, its key in them form-encoded with its slashes. The ETag is
    that of the file that was `put`.
    """

    def write(serial: Serial, site: Site) -> Message:
        about = {"key": quote_plus(key), "contentType": content_type}
        if put is not None:
            about["eTag"] = etag_of(site.files[put])
        record = _record(serial, "minio:s3", "2.0", "", name, bucket, about)
        path = f"{bucket}/{key}"
        notification = {"EventName": name, "Key": path, "Records": [record]}
        # MinIO's Kafka key is the path; the number keeps our few objects' uploads from waiting for each other.
        return Message(f"{path}/{serial.number}".encode(), orjson.dumps(notification))

    return write


def argo(name: str, key: str) -> Writer:
    """MinIO's notifications as Argo Events hands them on where its trigger takes the event's data alone."""

    def write(serial: Serial) -> _Json:
        about = {"key": quote_plus(key), "contentType": "image/jpeg"}
        return {"notification": [_record(serial, "minio:s3", "2.0", "", f"s3:{name}", MINIO_BUCKET, about)]}

    return _unkeyed(write)


def ceph(name: str, key: str) -> Writer:
    """Notifications as Ceph's object gateway sends them: the key as it is, the size a text, no version an empty one."""

    def write(serial: Serial) -> list[_Json]:
        about = {"key": key, "size": str(_SIZE), "versionId": "", "metadata": [], "tags": []}
        record = _record(serial, "ceph:s3", "2.2", "default", name, CEPH_BUCKET, about)
        return [{**record, "eventId": "", "opaqueData": ""}]

    return _records(write)


def s3_bridged(name: str, key: str) -> Writer:
    """S3's notifications as Amazon EventBridge sends them: one object, its key as it is."""

    def write(serial: Serial) -> _Json:
        return {
            "version": "0",
            "id": f"17793124-05d4-b198-2fde-{serial.number:012x}",
            "detail-type": name,
            "source": "aws.s3",
            "account": "111122223333",
            "time": serial.time,
            "region": "eu-north-1",
            "resources": [f"arn:aws:s3:::{S3_BUCKET}"],
            "detail": {
                "version": "0",
                "bucket": {"name": S3_BUCKET},
                "object": {
                    "key": key,
                    "size": _SIZE,
                    "etag": f"{serial.number:032x}",
                    "sequencer": f"{serial.number:016X}",
                },
                "request-id": f"{serial.number:016X}",
                "requester": "123456789012",
            },
        }

    return _unkeyed(write)


def oss(name: str, key: str) -> Writer:
    """Notifications as OSS sends them: the key as it is."""
    return _unkeyed(lambda serial: {"events": [_oss_event(serial, name, key)]})


def oss_bridged(name: str, key: str) -> Writer:
    """OSS's notifications as Alibaba Cloud's EventBridge sends them: CloudEvents, told by nothing but their shape."""

    def write(serial: Serial) -> _Json:
        return {
            "id": f"45ef4dew-7c35-447a-bd93-{serial.number:012x}",
            "source": "acs.oss",
            "specversion": "1.0",
            "type": f"oss:{name}",
            "datacontenttype": "application/json;charset=utf-8",
            "subject": f"acs:oss:{DEFAULT_REGION}:123456789:{OSS_BUCKET}/{key}",
            "time": serial.time,
            "aliyunregionid": DEFAULT_REGION,
            "data": _oss_event(serial, name, key),
        }

    return _unkeyed(write)


def etag_of(data: bytes) -> str:
    """Return the ETag that S3 and MinIO give to an object which was put in one piece."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _records(write: Callable[[Serial], list[_Json]]) -> Writer:
    return _unkeyed(lambda serial: {"Records": write(serial)})


def _s3_record(serial: Serial, name: str, bucket: str, about: _Json) -> _Json:
    return _record(serial, "aws:s3", "2.1", "eu-north-1", name, bucket, about)


def _unkeyed(write: Callable[[Serial], _Json]) -> Writer:
    return lambda serial, _: Message(None, orjson.dumps(write(serial)))


def _key(serial: Serial) -> bytes:
    return f"{_TENANT}|{serial.subject}".encode()


def _subject(serial: Serial) -> _Json:
    return {"type": "user_avatar", "id": serial.subject, "revision": serial.revision}


def _about(file: str, files: Mapping[str, bytes]) -> _Json:
    """What an upload pipeline knows of a file; of one that is gone, its type."""
    about: _Json = {"mime": _MIME[file.rpartition(".")[2]]}
    if content := files.get(file):
        about |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return about


def _attributes(kind: str, serial: Serial) -> dict[str, str]:
    """Attributes of a CloudEvent."""
    return {
        "specversion": "1.0",
        "type": kind,
        "source": "/shop/uploads",
        "id": f"demo-{serial.number}",
        "time": serial.time,
    }


def _record(serial: Serial, source: str, version: str, region: str, name: str, bucket: str, about: _Json) -> _Json:
    """One of S3's `Records`, as its imitators write them too; `about` the object."""
    return {
        "eventVersion": version,
        "eventSource": source,
        "awsRegion": region,
        "eventTime": serial.time,
        "eventName": name,
        "responseElements": {"x-amz-request-id": f"{serial.number:016X}"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {
                "size": _SIZE,
                "eTag": f"{serial.number:032x}",
                "sequencer": f"{serial.number:016X}",
                **about,
            },
        },
    }


def _oss_event(serial: Serial, name: str, key: str) -> _Json:
    return {
        "eventName": name,
        "eventSource": "acs:oss",
        "eventTime": serial.time,
        "eventVersion": "1.0",
        "region": DEFAULT_REGION,
        "responseElements": {"requestId": f"{serial.number:024X}"},
        "oss": {
            "ossSchemaVersion": "1.0",
            "bucket": {"name": OSS_BUCKET, "arn": f"acs:oss:{DEFAULT_REGION}:123456789:{OSS_BUCKET}"},
            "object": {"key": key, "size": _SIZE, "objectMeta": {"mimeType": "image/jpeg"}},
        },
    }
