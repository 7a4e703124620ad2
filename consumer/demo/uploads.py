"""
What the demo uploads: every kind of message with the outcome that it must come to. Pure.

Which outcome an image deserves follows from `rules.py` and the policy; what a message deserves, from its shape.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

import orjson

from consumer.demo.outcomes import WHOLE, Outcome, Place, Upload
from consumer.demo.rules import REPORTED

FEWEST: Final = 20
"""With as many uploads, every kind occurs."""

S3_BUCKET: Final = "ugc-s3"
OSS_BUCKET: Final = "ugc-oss"
STRANGE_BUCKET: Final = "somebody-elses"
"""Buckets of notifications. The configuration binds the first two, the last it does not know."""

OBJECT: Final = "summer 2026/Müller+Söhne.jpg"
"""An object's key with all that is awkward in keys. S3 encodes it in its notifications, OSS does not."""

_TENANT: Final = "shop-eu"
_MIME: Final = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the images are: an address, and what is there by file name."""

    url: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial:
    """What tells one message from the next."""

    number: int
    time: str  # RFC 3339
    subject: str
    revision: int


_Message = tuple[bytes | None, bytes | None]
"""A key and a value."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Messages that are alike."""

    name: str
    weight: int
    """How many of a thousand, roughly."""
    outcomes: tuple[Outcome, ...]
    """One for each image, or one for the whole of a message that has none."""
    write: Callable[[Serial, Site], _Message]

    @property
    def expected(self) -> dict[str, Outcome]:
        """The outcomes by image id."""
        if self.outcomes[0].place in (Place.DEAD_LETTER, Place.IGNORED):
            return {WHOLE: self.outcomes[0]}
        return {str(index): outcome for index, outcome in enumerate(self.outcomes)}


def uploads(count: int, site: Site, began: float) -> Iterator[Upload]:
    """
    Yield `count` uploads, `FEWEST` or more, with the kinds evenly mixed; `began` is in unix seconds.

    A quarter of the numbers share their subjects, so that there are keys with an order to keep.
    """
    time = datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shared = max(1, count // 24)
    for number, kind in enumerate(_mixed(count)):
        turn, apart = divmod(number, 4)
        serial = Serial(
            number=number,
            time=time,
            subject=f"u_{number}/avatar" if apart else f"u_shared_{turn % shared}/avatar",
            revision=1 if apart else turn // shared + 1,
        )
        key, value = kind.write(serial, site)
        yield Upload(kind=kind.name, key=key, value=value, expected=kind.expected)


def _mixed(count: int) -> list[Kind]:
    """Share `count` out by weight, none of the kinds left out, and spread each over the whole length."""
    spare, total = count - len(KINDS), sum(kind.weight for kind in KINDS)
    below = 0
    places: list[tuple[float, int]] = []
    for index, kind in enumerate(KINDS):
        above = below + kind.weight
        share = 1 + spare * above // total - spare * below // total
        places += [((turn + 0.5) / share, index) for turn in range(share)]
        below = above
    return [KINDS[index] for _, index in sorted(places)]


def _native(*files: str, folder: str = "uploads") -> Callable[[Serial, Site], _Message]:
    """Messages of the service's own schema, with these images."""

    def write(serial: Serial, site: Site) -> _Message:
        event = {
            "schema": "image.uploaded.v1",
            "event_id": f"demo-{serial.number}",
            "event_time": serial.time,
            "tenant": _TENANT,
            "purpose": "avatar",
            "subject": {"type": "user_avatar", "id": serial.subject, "revision": serial.revision},
            "images": [
                {"id": str(index), "url": f"{site.url}/{folder}/{serial.number}/{file}", **_about(file, site.files)}
                for index, file in enumerate(files)
            ],
        }
        return f"{_TENANT}|{serial.subject}".encode(), orjson.dumps(event)

    return write


def _about(file: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What an upload pipeline knows of a file; of one that is gone, its type."""
    about: dict[str, Any] = {"mime": _MIME[file.rpartition(".")[2]]}
    if content := files.get(file):
        about |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return about


def _s3(event: str, bucket: str) -> Callable[[Serial, Site], _Message]:
    """Notifications as MinIO sends them, keyed by the object."""

    def write(serial: Serial, _: Site) -> _Message:
        notification = {
            "EventName": event,
            "Key": f"{bucket}/{OBJECT}",
            "Records": [
                {
                    "eventVersion": "2.0",
                    "eventSource": "minio:s3",
                    "awsRegion": "",
                    "eventTime": serial.time,
                    "eventName": event,
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                        "object": {
                            "key": quote_plus(OBJECT),
                            "size": 4_711,
                            "contentType": "image/jpeg",
                            "sequencer": f"{serial.number:016X}",
                        },
                    },
                }
            ],
        }
        return f"{bucket}/{OBJECT}/{serial.number}".encode(), orjson.dumps(notification)

    return write


def _oss(serial: Serial, _: Site) -> _Message:
    """A notification as OSS sends it."""
    notification = {
        "events": [
            {
                "eventName": "ObjectCreated:PutObject",
                "eventSource": "acs:oss",
                "eventTime": serial.time,
                "eventVersion": "1.0",
                "region": "ap-southeast-1",
                "responseElements": {"requestId": f"{serial.number:024X}"},
                "oss": {
                    "ossSchemaVersion": "1.0",
                    "bucket": {"name": OSS_BUCKET, "arn": f"acs:oss:ap-southeast-1:1234:{OSS_BUCKET}"},
                    "object": {"key": OBJECT, "size": 4_711, "objectMeta": {"mimeType": "image/jpeg"}},
                },
            }
        ]
    }
    return f"{OSS_BUCKET}/{OBJECT}/{serial.number}".encode(), orjson.dumps(notification)


def _s3_test(serial: Serial, _: Site) -> _Message:
    """What S3 sends once when notifications are set up."""
    return None, orjson.dumps(
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": serial.time, "Bucket": S3_BUCKET}
    )


def _tombstone(serial: Serial, _: Site) -> _Message:
    return f"{_TENANT}|{serial.subject}".encode(), None


def _not_json(serial: Serial, _: Site) -> _Message:
    return None, f"image {serial.number} was uploaded".encode()


_BLOCKED, _REVIEWED = Outcome(Place.BLOCK, "high"), Outcome(Place.REVIEW, "medium")
_PASSED_LOW, _PASSED = Outcome(Place.PASS, "low"), Outcome(Place.PASS, "none")

KINDS: Final = (
    Kind("red PNG", 110, (_BLOCKED,), _native("red.png")),
    Kind("orange JPEG", 110, (_REVIEWED,), _native("orange.jpg")),
    Kind("yellow JPEG", 110, (_PASSED_LOW,), _native("yellow.jpg")),
    Kind("blue WebP", 250, (_PASSED,), _native("blue.webp")),
    Kind("green animated GIF", 190, (_PASSED,), _native("green.gif")),
    Kind("blue PNG at a reported URL", 50, (_BLOCKED,), _native("blue.png", folder=REPORTED)),
    Kind(
        "red, orange and blue in one",
        30,
        (_BLOCKED, _REVIEWED, _PASSED),
        _native("red.png", "orange.jpg", "blue.webp"),
    ),
    Kind("S3 notification, red JPEG", 30, (_BLOCKED,), _s3("s3:ObjectCreated:Put", S3_BUCKET)),
    Kind("OSS notification, red JPEG", 30, (_BLOCKED,), _oss),
    Kind("corrupt JPEG", 20, (Outcome(Place.REVIEW, "error: image"),), _native("corrupt.jpg")),
    Kind("missing image (404)", 10, (Outcome(Place.REVIEW, "error: fetch"),), _native("missing.jpg")),
    Kind("text, not JSON", 10, (Outcome(Place.DEAD_LETTER, "not_json"),), _not_json),
    Kind(
        "S3, a bucket nobody bound",
        10,
        (Outcome(Place.DEAD_LETTER, "unbound_bucket"),),
        _s3("s3:ObjectCreated:Put", STRANGE_BUCKET),
    ),
    Kind(
        "S3, an object removed",
        10,
        (Outcome(Place.IGNORED, "not_a_creation"),),
        _s3("s3:ObjectRemoved:Delete", S3_BUCKET),
    ),
    Kind("S3 test event", 10, (Outcome(Place.IGNORED, "test_event"),), _s3_test),
    Kind("no value (tombstone)", 10, (Outcome(Place.IGNORED, "no_value"),), _tombstone),
)
"""In the order in which they are told."""
