"""
What is sent: upload events, each with a name by which another run knows it. Pure.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from consumer.commands.backfill.rows import SCHEMA, Row
from consumer.commands.scan.items import printable
from consumer.errors import Undecodable
from consumer.images.stores.listing import Listed
from consumer.intake.decode import Bindings
from consumer.intake.decode.bindings import Place
from consumer.intake.decode.members import MAX_TEXT
from consumer.journal import signatures
from consumer.redaction import redacted, shortened
from consumer.urls import shown_url
from consumer.verdicts.encode import Encoded, EncodedHeaders

HEADER = "backfill"
"""Holds the run and the digest of what was asked, with a slash between: the name of what is sent."""
_LONGEST_SHOWN = 120  # characters of a value
_OF_OUTCOMES = frozenset({"source_group", "original_headers_omitted", signatures.HEADER, HEADER})
_OF_DEAD_LETTERS = "dlq_"  # begins the names of headers

_OF_EVENT = ("event_id", "event_time", "tenant", "purpose")
_OF_SUBJECT = {"subject": "id", "subject_type": "type", "revision": "revision"}
_OF_IMAGE = {"id": "id", "mime": "mime", "bytes": "bytes", "sha256": "sha256"}
_OF_REF = {name: name for name in ("store", "bucket", "key", "region", "version")}
_COLUMNS = {
    "images[0].url": "image",
    "images[0]": "image",
    **{f"subject.{member}": column for column, member in _OF_SUBJECT.items()},
    **{f"images[0].{member}": column for column, member in _OF_IMAGE.items()},
    **{f"images[0].ref.{member}": column for column, member in _OF_REF.items()},
}
"""The row's name for a member of the event, by its path."""


class Upload(NamedTuple):
    """An event that is to be sent; `where` is what named it, for people."""

    name: str
    where: str
    record: Encoded


class Making(NamedTuple):
    """What all events of a run have in common."""

    run: str
    bindings: Bindings
    event_time: str  # RFC 3339, of events that do not say theirs

    def of_row(self, row: Row) -> Upload:
        """Make an event of a row of a manifest. What is wrong in it, the decoder says."""
        asked = _digest(row.members)
        if SCHEMA in row.members:
            return self._upload(asked, row.where, row.members)
        return self._upload(asked, row.where, self._event(row.members, asked))

    def of_object(self, store: str, bucket: str, listed: Listed) -> Upload:
        """Make an event of an object that a bucket lists. One that was written anew, with another ETag, is another."""
        asked = _digest([store, bucket, listed.key, listed.etag])
        members = {"bucket": bucket, "key": listed.key, "bytes": listed.size}
        return self._upload(asked, f"{bucket}/{printable(listed.key)}", self._event(members, asked))

    def of_record(self, record: Any) -> Upload:
        """Take over a record as it is, without the headers that say what became of it."""
        place = f"{record.topic}/{record.partition}@{record.offset}"
        asked = _digest([place, record.timestamp])
        kept = [(name, content) for name, content in record.headers if not _is_of_outcome(name)]
        return self._named(asked, place, record.key, record.value, kept)

    def _event(self, members: Mapping[str, Any], asked: str) -> Mapping[str, Any]:
        place = None
        bucket, key = members.get("bucket"), members.get("key")
        if isinstance(bucket, str) and isinstance(key, str):
            place = self.bindings.find(bucket, key)
        said = {"event_id": f"{self.run}-{asked}", "event_time": self.event_time, **_of(place)}
        said |= {name: members[name] for name in _OF_EVENT if members.get(name) is not None}
        image = _renamed(members, _OF_IMAGE)
        if members.get("image") is not None:
            image["url"] = members["image"]
        if bucket is not None or key is not None:
            image["ref"] = {"store": _store(place), **_renamed(members, _OF_REF)}
        subject = {"id": _subject(members), **_renamed(members, _OF_SUBJECT)}
        return {"schema": "image.uploaded.v1", **said, "subject": subject, "images": [image]}

    def _upload(self, asked: str, where: str, event: Mapping[str, Any]) -> Upload:
        subject = event.get("subject")
        about = subject.get("id") if isinstance(subject, dict) else None
        key = f"{event.get('tenant') or 'default'}|{about}".encode(errors="replace")
        return self._named(asked, where, key, orjson.dumps(event), [])

    def _named(self, asked: str, where: str, key: bytes | None, value: bytes | None, headers: EncodedHeaders) -> Upload:
        name = f"{self.run}/{asked}"
        return Upload(name, where, Encoded(key, value, [*headers, (HEADER, name.encode())]))


def digest_of(name: str) -> bytes:
    """The digest in a name, 16 bytes. `ValueError` escapes where it is none that we give."""
    return bytes.fromhex(name.rpartition("/")[2])


def explained(error: Undecodable, row: Row) -> str:
    """Say what is wrong with a row: where, which of its members, and what that holds, without credentials."""
    path, _, what = error.detail.partition(": ")
    column = path if SCHEMA in row.members else _COLUMNS.get(path, path)
    value = row.members.get(column)
    if value is None or isinstance(value, dict | list):
        return f"{row.where}: {column}: {what}"
    shown = printable(shortened(redacted(str(value)), _LONGEST_SHOWN))
    return f"{row.where}: {column} {shown!r}: {what}"


def _digest(asked: Any) -> str:
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _is_of_outcome(header: str) -> bool:
    return header in _OF_OUTCOMES or header.startswith(_OF_DEAD_LETTERS)


def _of(place: Place | None) -> Mapping[str, str]:
    return {} if place is None else {"tenant": place.binding.tenant, "purpose": place.binding.purpose}


def _store(place: Place | None) -> str:
    return "oss" if place is None or place.binding.via == "oss" else "s3"


def _subject(members: Mapping[str, Any]) -> str:
    """What an image belongs to of which nothing is said: itself."""
    bucket, key = members.get("bucket"), members.get("key")
    itself = shown_url(str(members.get("image") or "")) if bucket is None else f"{bucket}/{key}"
    return itself if len(itself) <= MAX_TEXT else f"{itself[: MAX_TEXT - 33]}#{_digest(itself)}"


def _renamed(members: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: members[column] for column, name in names.items() if members.get(column) is not None}
