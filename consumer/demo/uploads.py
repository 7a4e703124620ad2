"""
What the demo uploads: every kind of message with the outcome that it must come to. Pure.

Which outcome an image deserves follows from `rules.py` and the policy; what a message deserves, from its kind.
`messages.py` says how each is written.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from consumer.demo import messages
from consumer.demo.images import ANIMATED
from consumer.demo.messages import (
    ANIMATION,
    ORANGE,
    PRIVATE_BUCKET,
    RED,
    STRANGE_BUCKET,
    WITHDRAWN,
    YELLOW,
    Serial,
    Site,
    Writer,
    in_turn,
)
from consumer.demo.outcomes import WHOLE, Fetched, Outcome, Place, Upload
from consumer.demo.rules import REPORTED

FEWEST: Final = 38
"""With as many uploads, every kind occurs."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Messages that are alike."""

    name: str
    weight: int
    """How many of a thousand, roughly."""
    outcomes: tuple[Outcome, ...]
    """One for each image, or one for the whole of a message that has none."""
    write: Writer
    fetched: str | None = None
    """The file that the service itself fetches, and gets."""
    frames: int = 1
    deciding: int | None = None
    """Of its frames, from 0, the one that decides."""

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
    turns = Counter[str]()
    for number, kind in enumerate(_mixed(count)):
        quarter, apart = divmod(number, 4)
        serial = Serial(
            number=number,
            turn=turns[kind.name],
            time=time,
            subject=f"u_{number}/avatar" if apart else f"u_shared_{quarter % shared}/avatar",
            revision=1 if apart else quarter // shared + 1,
        )
        turns[kind.name] += 1
        yield Upload(
            kind=kind.name, **kind.write(serial, site)._asdict(), expected=kind.expected, fetched=_fetched(kind, site)
        )


def _fetched(kind: Kind, site: Site) -> dict[str, Fetched]:
    if kind.fetched is None:
        return {}
    digest = hashlib.sha256(site.files[kind.fetched]).hexdigest()
    return {"0": Fetched(digest, kind.frames, kind.deciding)}


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


_BLOCKED, _REVIEWED = Outcome(Place.BLOCK, "high"), Outcome(Place.REVIEW, "medium")
_PASSED_LOW, _PASSED = Outcome(Place.PASS, "low"), Outcome(Place.PASS, "none")


def _failed(error: str) -> tuple[Outcome]:
    return (Outcome(Place.REVIEW, f"error: {error}"),)


def _ignored(reason: str) -> tuple[Outcome]:
    return (Outcome(Place.IGNORED, reason),)


def _dead(reason: str) -> tuple[Outcome]:
    return (Outcome(Place.DEAD_LETTER, reason),)


def _private(key: str, put: str, content_type: str = "image/jpeg") -> Writer:
    """A notification of the private bucket, about the object of a key and the file that was put there then."""
    return messages.minio(f"s3:{_PUT}", key, content_type=content_type, bucket=PRIVATE_BUCKET, put=put)


_UPLOADED: Final = "image.uploaded.v1"
_ORDERED: Final = "com.example.order.placed"
"""The configuration lists it under `cloudevents.ignore`."""
_STRANGE: Final = "com.example.invoice.sent"
_PUT: Final = "ObjectCreated:Put"
_REMOVED: Final = "ObjectRemoved:Delete"

_NATIVE: Final = (
    Kind("red PNG", 80, (_BLOCKED,), messages.native("red.png")),
    Kind("orange JPEG", 80, (_REVIEWED,), messages.native("orange.jpg")),
    Kind("yellow JPEG", 80, (_PASSED_LOW,), messages.native("yellow.jpg")),
    Kind("blue WebP", 180, (_PASSED,), messages.native("blue.webp")),
    Kind("green animated GIF", 140, (_PASSED,), messages.native("green.gif")),
    Kind("blue PNG at a reported URL", 40, (_BLOCKED,), messages.native("blue.png", folder=REPORTED)),
    Kind(
        "red, orange and blue in one",
        30,
        (_BLOCKED, _REVIEWED, _PASSED),
        messages.native("red.png", "orange.jpg", "blue.webp"),
    ),
    Kind("corrupt JPEG", 20, _failed("image"), messages.native("corrupt.jpg")),
    Kind("missing image (404)", 10, _failed("fetch"), messages.native("missing.jpg")),
)
_WRAPPED: Final = (
    Kind(
        "CloudEvent structured, orange",
        30,
        (_REVIEWED,),
        in_turn(
            messages.structured(_UPLOADED, messages.uploaded("orange.jpg")),
            messages.structured(_UPLOADED, messages.uploaded("orange.jpg"), told=False),
        ),
    ),
    Kind("CloudEvent binary, green", 30, (_PASSED,), messages.binary(_UPLOADED, messages.uploaded("green.gif"))),
)
_NOTIFICATIONS: Final = (
    Kind("S3, red", 30, (_BLOCKED,), messages.s3((_PUT, RED))),
    Kind(
        "S3, two put and one removed",
        20,
        (_BLOCKED, _PASSED_LOW),
        messages.s3((_PUT, RED), (_PUT, YELLOW), (_REMOVED, ORANGE)),
    ),
    Kind("S3 by EventBridge, yellow", 30, (_PASSED_LOW,), messages.s3_bridged("Object Created", YELLOW)),
    Kind("MinIO, orange", 30, (_REVIEWED,), messages.minio(f"s3:{_PUT}", ORANGE)),
    Kind("MinIO by Argo Events, red", 10, (_BLOCKED,), messages.argo(_PUT, RED)),
    Kind("Ceph, red", 30, (_BLOCKED,), messages.ceph(_PUT, RED)),
    Kind("OSS, red", 30, (_BLOCKED,), messages.oss("ObjectCreated:PutObject", RED)),
    Kind("OSS by EventBridge, orange", 30, (_REVIEWED,), messages.oss_bridged("ObjectCreated:PostObject", ORANGE)),
)
_PRIVATE: Final = (
    Kind("private, red", 14, (_BLOCKED,), _private(RED, "red.jpg"), "red.jpg"),
    Kind("private, orange", 14, (_REVIEWED,), _private(ORANGE, "orange.jpg"), "orange.jpg"),
    Kind("private, yellow", 14, (_PASSED_LOW,), _private(YELLOW, "yellow.jpg"), "yellow.jpg"),
    Kind(
        "private GIF, third frame red",
        8,
        (_BLOCKED,),
        _private(ANIMATION, "animated.gif", content_type="image/gif"),
        "animated.gif",
        frames=len(ANIMATED),
        deciding=ANIMATED.index("red"),
    ),
    Kind("private, deleted meanwhile", 6, _failed("fetch"), _private(WITHDRAWN, "red.jpg")),
    Kind("private, overwritten", 6, _failed("fetch"), _private(YELLOW, "blue.png")),
)
_IGNORED: Final = (
    Kind("no value (tombstone)", 10, _ignored("no_value"), messages.tombstone),
    Kind("S3's test event", 10, _ignored("test_event"), messages.s3_test),
    Kind(
        "removed, tagged, or a part",
        30,
        _ignored("not_a_creation"),
        in_turn(
            messages.s3((_REMOVED, RED)),
            messages.minio(f"s3:{_PUT}Tagging", ORANGE),
            messages.ceph("ObjectLifecycle:Expiration:Current", RED),
            messages.s3_bridged("Object Deleted", YELLOW),
            messages.oss("ObjectCreated:UploadPart", RED),
            messages.oss_bridged("ObjectRemoved:DeleteObject", ORANGE),
        ),
    ),
    Kind(
        "text file in a bucket",
        10,
        _ignored("not_included"),
        in_turn(
            messages.s3((_PUT, "notes/to do.txt")),
            messages.minio(f"s3:{_PUT}", "notes/to do", content_type="text/plain; charset=utf-8"),
        ),
    ),
    Kind(
        "CloudEvent of an order",
        10,
        _ignored("not_an_upload"),
        in_turn(messages.structured(_ORDERED, messages.ordered), messages.binary(_ORDERED, messages.ordered)),
    ),
)
_MALFORMED: Final = (
    Kind("text, not JSON", 10, _dead("not_json"), messages.text),
    Kind("JSON of no known shape", 10, _dead("unrecognised"), messages.document({"photo": "red.png", "by": "u_1"})),
    Kind("image.uploaded.v2", 10, _dead("unknown_schema"), messages.native("red.png", schema="image.uploaded.v2")),
    Kind(
        "unlisted CloudEvent",
        10,
        _dead("unknown_type"),
        in_turn(messages.structured(_STRANGE, messages.ordered), messages.binary(_STRANGE, messages.ordered)),
    ),
    Kind("image at an ftp:// URL", 10, _dead("bad_url"), messages.native("red.png", scheme="ftp")),
    Kind("S3, one of two has no key", 10, _dead("missing_member"), messages.s3_written_as({"key": "red.jpg"}, {})),
    Kind("S3, a key not in UTF-8", 10, _dead("bad_key"), messages.s3_written_as({"key": "M%FCller.jpg"})),
    Kind("S3, an unbound bucket", 10, _dead("unbound_bucket"), messages.s3((_PUT, RED), bucket=STRANGE_BUCKET)),
)

SECTIONS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "the service's own events": _NATIVE,
    "the same in CloudEvents": _WRAPPED,
    "notifications of buckets": _NOTIFICATIONS,
    "notifications of a private one": _PRIVATE,
    "what asks for nothing": _IGNORED,
    "unreadable messages": _MALFORMED,
}
"""In the order in which they are shown."""

KINDS: Final = tuple(kind for kinds in SECTIONS.values() for kind in kinds)
