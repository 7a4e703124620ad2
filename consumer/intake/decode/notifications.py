"""
What every bucket notification comes down to: objects that were created, each found a binding.

How a store writes its notifications is known to `s3.py`, `eventbridge.py` and `oss.py`.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import orjson

from consumer.intake.decode.bindings import Place
from consumer.intake.decode.members import MAX_TEXT, Document, named
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.intake.decode.urls import decoded_key, is_raw_key
from consumer.locations import Image, ObjectRef
from consumer.records import Decoded, Ignored, Subject, Submission, source_id

MAX_RECORDS = 64
MAX_KEY = 3 * MAX_TEXT  # characters, as a URL-encoded key may have thrice as many as it has bytes


def digest(*parts: str | None) -> str:
    """Stand in for the id of an event that has none, or one beyond its limit: what distinguishes two uploads."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]


class Kinds:
    """
    The names that a store gives to what happens to objects: which create one, and which are known to create none.

    Any other name may be a creation of a release to come, and is `unknown_creation`. Names are compared without case
    and without the store's prefix.
    """

    def __init__(self, prefixes: Iterable[str], creations: Iterable[str], others: Iterable[str]) -> None:
        self._prefixes = tuple(prefixes)
        self._creations = frozenset(name.lower() for name in creations)
        self._others = tuple(name.lower() for name in others)

    def creates(self, name: str, where: str) -> bool:
        """
        Tell whether events of this name create an object.

        Raises:
            Undecodable: `unknown_creation`.
        """
        plain = name.lower()
        for prefix in self._prefixes:
            plain = plain.removeprefix(prefix)
        if plain in self._creations:
            return True
        if any(plain.startswith(other) if other.endswith(":") else plain == other for other in self._others):
            return False
        raise Rejection.UNKNOWN_CREATION.at(where, f"is {named(name)}, which may create an object")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedObject:
    """An object that a notification says was created, as the notification writes it."""

    store: str
    bucket: str
    key: str  # as written; `encoded` says how it is read if the binding does not
    encoded: bool
    event_id: str
    event_time: str
    region: str | None
    version: str | None
    etag: str | None
    size: int | None  # bytes
    content_type: str | None
    where: str  # the key's path in the message


Reader = Callable[[Document, str, Origin], CreatedObject | Ignored]
"""Reads one record of a notification; its second argument is the record's path with its dot."""


def read_records(records: Sequence[object], name: str, read: Reader, origin: Origin) -> Decoded:
    """
    Read a list of records, all or nothing: a rejected one rejects the message, ignored ones are dropped.

    An image's id is its record's index in the message, whatever is dropped around it; `of` counts the submissions.

    Raises:
        Undecodable: the first record that cannot be read says why.
    """
    if len(records) > MAX_RECORDS:
        raise Rejection.TOO_MANY.at(name, f"more than {MAX_RECORDS}")
    parts = [_part(record, f"{name}[{index}]", read, origin) for index, record in enumerate(records)]
    return _submissions(parts, origin)


def read_one(record: Document, read: Reader, origin: Origin) -> Decoded:
    """Read a message that is itself one record."""
    return _submissions([_bound(read(record, "", origin), origin)], origin)


_Part = tuple[CreatedObject, str, Place] | Ignored
"""An object with its key as it is called in the bucket, and its place."""


def _part(record: object, where: str, read: Reader, origin: Origin) -> _Part:
    if not isinstance(record, dict):
        raise Rejection.BAD_MEMBER.at(where, "must be an object")
    return _bound(read(record, where + ".", origin), origin)


def _bound(created: CreatedObject | Ignored, origin: Origin) -> _Part:
    if isinstance(created, Ignored):
        return created
    key, place = _place(created, origin)
    if not place.includes(key, created.content_type):
        return Omission.NOT_INCLUDED.ignored
    return created, key, place


def _place(created: CreatedObject, origin: Origin) -> tuple[str, Place]:
    """
    Find a binding and the reading of the key that it asks for. A key with a character that an encoder would have
    escaped was not encoded, whatever its store usually does.

    A binding's prefix speaks of the key as it is called in the bucket, and only the binding can say whether the
    notification encodes keys. So the store's usual reading is tried first, and a reading counts with the binding that
    agrees to it.
    """
    usual = created.encoded and not is_raw_key(created.key)
    for encoded in (usual, not usual):
        key = decoded_key(created.key) if encoded else created.key
        place = None if key is None else origin.bindings.find(created.bucket, key)
        if key is not None and place is not None and place.decodes_keys(usual) == encoded:
            if len(key) > MAX_TEXT:
                raise Rejection.TOO_LONG.at(created.where, f"longer than {MAX_TEXT} characters")
            return key, place
    if usual and decoded_key(created.key) is None:
        raise Rejection.BAD_KEY.at(created.where, "is not UTF-8 once URL-decoded")
    raise Rejection.UNBOUND_BUCKET.at(created.where, f"no binding covers the object in {named(created.bucket)}")


def _submissions(parts: Sequence[_Part], origin: Origin) -> Decoded:
    kept = [(index, part) for index, part in enumerate(parts) if not isinstance(part, Ignored)]
    if not kept:
        return next(part for part in parts if isinstance(part, Ignored))
    return tuple(_submission(index, len(kept), *part, origin) for index, part in kept)


def _submission(index: int, of: int, created: CreatedObject, key: str, place: Place, origin: Origin) -> Submission:
    image_id = str(index)
    ref = place.named(
        ObjectRef(
            store=created.store,
            bucket=created.bucket,
            key=key,
            region=created.region,
            version=created.version,
            etag=created.etag,
        )
    )
    return Submission(
        id=source_id(origin.group, origin.delivery, created.event_id, image_id),
        delivery=origin.delivery,
        event_id=created.event_id,
        event_time=created.event_time,
        tenant=place.binding.tenant,
        purpose=place.binding.purpose,
        subject=Subject(id=f"{created.bucket}/{key}"),
        image=Image(
            id=image_id,
            ref=ref,
            mime=created.content_type,
            size=created.size,
        ),
        of=of,
        location=place.location(ref, created.where),
    )
