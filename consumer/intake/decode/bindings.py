"""
What the configuration says of buckets, made ready for one look-up an object.

Which events an object comes from is not known here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import translate
from string import Formatter
from typing import Self
from urllib.parse import quote

from consumer.config import Config
from consumer.config.bindings import Binding, asks_for_version
from consumer.intake.decode.globs import any_of
from consumer.intake.decode.reasons import Rejection
from consumer.intake.decode.urls import encoded_key, encoded_version, filled, web_url
from consumer.locations import ByObject, ByUpload, ByUrl, ImageLocation, NotAskable, ObjectRef, StoredObject

VERSION_NOT_ASKABLE = NotAskable("version_not_askable")
"""The event names a version, and the way to the object cannot: another might be judged than is shown."""
VERSION_MISSING = NotAskable("version_missing")
"""The way to the object needs a version, and the event names none."""

SAYS_NOTHING = frozenset(
    {
        "application/octet-stream",
        "binary/octet-stream",
        "application/binary",
        "application/unknown",
        "application/x-www-form-urlencoded",  # curl's, where nothing is said
        "multipart/form-data",
        "unknown/unknown",
        "*/*",
    }
)
"""Content types that uploaders send where they know none; so does what is no type at all, such as `undefined`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a binding applies, with its globs and its template compiled."""

    binding: Binding
    template: str | None
    keys: re.Pattern[str] | None
    content_types: re.Pattern[str] | None
    asks_for_version: bool = False

    @classmethod
    def of(cls, binding: Binding) -> Self:
        """Make a binding ready."""
        return cls(
            binding,
            template=None if binding.url is None else _plain_template(binding.url),
            keys=_globs(binding.include.keys),
            content_types=_globs(binding.include.content_types),
            asks_for_version=binding.url is not None and asks_for_version(binding.url),
        )

    def decodes_keys(self, usual: bool) -> bool:
        """Tell whether notifications encode this place's keys, where they `usual`ly do or do not."""
        match self.binding.decode_keys:
            case None | "auto":
                return usual
            case "always" | "never" as told:
                return told == "always"
            case told:
                return told

    def includes(self, key: str, content_type: str | None) -> bool:
        """
        Tell whether the object counts as an image: key and content type must fit, each where there are globs for it.

        The uploader chooses both. So case counts nowhere, nor do dots, blanks and invisible characters at a key's end,
        and a content type that says nothing decides nothing.
        """
        if self.keys is not None and not self.keys.fullmatch(key) and not self.keys.fullmatch(_trimmed(key)):
            return False
        if self.content_types is None or content_type is None:
            return True
        media = media_type(content_type)
        return "/" not in media or media in SAYS_NOTHING or self.content_types.fullmatch(media) is not None

    def named(self, ref: ObjectRef) -> ObjectRef:
        """Return what is judged of an object that an event names: no version or ETag, where the latest one is."""
        return replace(ref, version=None, etag=None) if self.binding.versions == "latest" else ref

    def location(self, ref: ObjectRef, where: str) -> ImageLocation | NotAskable:
        """
        Say how the provider gets at an object that is `named`; `where` is its key's path in the event.

        Where it cannot be asked about the version that the event names, a store can: then the object is uploaded.

        Raises:
            Undecodable: `no_region`, or key or version cannot stand in a URL.
        """
        stored = self._stored(ref)
        if stored is not None and self.binding.via == "upload":
            return stored
        way = self._by_object(ref, where) if self.template is None else self._by_url(ref, where, self.template)
        if self.binding.fallback is None:
            return way
        match way:
            case ByUrl(url):
                return replace(way, or_upload=stored or ByUpload(url))
            case ByObject():
                return replace(way, or_upload=stored)
            case _:
                return stored or way

    def _stored(self, ref: ObjectRef) -> ByUpload | None:
        store = self.binding.store
        return None if store is None else ByUpload(StoredObject(store, ref.bucket, ref.key, ref.version, ref.etag))

    def _by_object(self, ref: ObjectRef, where: str) -> ByObject | NotAskable:
        return by_object(replace(ref, region=ref.region or self.binding.region), where)

    def _by_url(self, ref: ObjectRef, where: str, template: str) -> ByUrl | ByUpload | NotAskable:
        key = encoded_key(ref.key, where)
        if ref.version is not None and not self.asks_for_version:
            return VERSION_NOT_ASKABLE
        if ref.version is None and self.asks_for_version:
            return VERSION_MISSING
        version = encoded_version(ref.version or "", where)
        url = filled(template, where, bucket=quote(ref.bucket, safe=""), key=key, version=version)
        url = web_url(url, f"{where} in the binding's url")
        return ByUpload(url) if self.binding.via == "upload" else ByUrl(url)


def by_object(ref: ObjectRef, where: str) -> ByObject | NotAskable:
    """
    Let the provider read an object itself. Vendor: it takes no version.

    Raises:
        Undecodable: `no_region`.
    """
    if ref.region is None:
        raise Rejection.NO_REGION.at(where, "via oss needs a region, from the event or the binding")
    if ref.version is not None:
        return VERSION_NOT_ASKABLE
    return ByObject(ref.bucket, ref.key, ref.region)


class Bindings:
    """Finds the binding of an object: among those of its bucket, the one with the longest fitting prefix."""

    def __init__(self, bindings: Iterable[Binding] = (), opened: Iterable[str] = ()) -> None:
        """`opened` are globs on the buckets that native events may name without a binding."""
        self._opened = any_of(opened)
        buckets: dict[str, dict[str, Place]] = {}
        for binding in bindings:
            buckets.setdefault(binding.bucket, {})[binding.prefix] = Place.of(binding)
        # One dictionary look-up for each length that occurs, longest first.
        self._buckets = {
            bucket: (sorted({len(prefix) for prefix in places}, reverse=True), places)
            for bucket, places in buckets.items()
        }

    @classmethod
    def of(cls, config: Config) -> Self:
        """Make the configuration's bindings ready, and what it opens beyond them."""
        return cls(config.bindings, config.oss.buckets)

    def opens(self, bucket: str) -> bool:
        """Tell whether native events may name the bucket without a binding."""
        return self._opened is not None and self._opened.fullmatch(bucket) is not None

    def find(self, bucket: str, key: str) -> Place | None:
        """Return the object's place, or None where no binding covers it."""
        found = self._buckets.get(bucket)
        if found is None:
            return None
        lengths, places = found
        for length in lengths:
            place = places.get(key[:length])
            if place is not None:
                return place
        return None


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _globs(patterns: Iterable[str]) -> re.Pattern[str] | None:
    alternatives = "|".join(translate(pattern) for pattern in patterns)
    return re.compile(alternatives, re.IGNORECASE) if alternatives else None


def _trimmed(key: str) -> str:
    end = len(key)
    while end and (key[end - 1] in ". " or not key[end - 1].isprintable()):
        end -= 1
    return key[:end]


def _plain_template(template: str) -> str:
    """Keep a template's names only: a format specification would cut or pad a key, or refuse it."""
    return "".join(
        literal.replace("{", "{{").replace("}", "}}") + (f"{{{name}}}" if name else "")
        for literal, name, _, _ in Formatter().parse(template)
    )
