"""Whether an answer is about the object that was wanted: by its version, or else by its ETag. Pure."""

import re

from consumer.images.errors import NotFetched
from consumer.locations import StoredObject

_ETAG = re.compile(r"[!#-~]{1,256}")
CHANGING = "null"
"""What S3 calls the version of an object in a bucket that keeps none any more: it can be written again."""


def wanted_etag(wanted: StoredObject) -> str | None:
    """
    The ETag that the object must have, with its quotes; None where its version says it all, or no ETag is known.

    Raises:
        NotFetched: `changed`: what the event calls an ETag can be none.
    """
    if wanted.etag is None or wanted.version not in (None, CHANGING):
        return None
    plain = _plain(wanted.etag)
    if _ETAG.fullmatch(plain) is None:
        raise NotFetched("changed", detail="the event names an ETag that no object has")
    return f'"{plain}"'


def check(wanted: StoredObject, version: str | None, etag: str | None) -> None:
    """
    Look whether the answer's version and ETag are those that were asked for: some stores do not look at conditions.

    Raises:
        NotFetched: `changed`.
    """
    if wanted.version not in (None, CHANGING, version):
        raise NotFetched("changed", detail="the store answers with another version, or with none", answered=True)
    if (needed := wanted_etag(wanted)) is not None and (etag is None or _plain(etag) != _plain(needed)):
        raise NotFetched("changed", detail="the object has another ETag by now", answered=True)


def _plain(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
