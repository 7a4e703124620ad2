"""
A bucket's list, page by page: how it is asked for, and what an answer says. Pure.

Vendor: S3's ListObjectsV2 and OSS's have the same parameters and members. Keys are form-encoded on request.
"""

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote_plus

from consumer.images.errors import NotFetched

MOST_KEYS = 1_000  # of a page
MOST_PAGE = 8_388_608  # bytes; a thousand keys of 1,024 bytes, each byte encoded as three, take less than half of it
_MEMBER = re.compile(r"<(Key|ETag|Size)>([^<]*)</\1>")
_MORE = re.compile(r"<IsTruncated>\s*true\s*</IsTruncated>", re.IGNORECASE)
_AFTER = re.compile(r"<NextContinuationToken>([^<]{1,4096})</NextContinuationToken>")
_ENCODED = re.compile(r"<EncodingType>\s*url\s*</EncodingType>")


class Listed(NamedTuple):
    """An object of a list."""

    key: str
    size: int  # bytes
    etag: str  # without its quotes


class Page(NamedTuple):
    """A part of a list, and what the next one is asked for by; None behind the last."""

    objects: Sequence[Listed]
    after: str | None


def page_query(prefix: str, after: str | None) -> Mapping[str, str]:
    """Ask for a page: the first one, or the one behind `after`."""
    query = {"list-type": "2", "max-keys": str(MOST_KEYS), "encoding-type": "url", "prefix": prefix}
    return query if after is None else {**query, "continuation-token": after}


def page_in(body: bytes) -> Page:
    """
    Read a page.

    Raises:
        NotFetched: `not_a_list`: something is missing that every list has.
    """
    text = body.decode("utf-8", "replace")
    if "<ListBucketResult" not in text or "</ListBucketResult>" not in text:
        raise NotFetched("not_a_list", detail="the store answers with no list, or with half of one")
    encoded = _ENCODED.search(text) is not None
    objects = [_listed(each, encoded=encoded) for each in text.split("<Contents>")[1:]]
    if not _MORE.search(text):
        return Page(objects, None)
    after = _AFTER.search(text)
    if after is None:
        raise NotFetched("not_a_list", detail="the store says that its list goes on, and not where")
    return Page(objects, unescape(after[1]))


def _listed(entry: str, *, encoded: bool) -> Listed:
    entry, end, _ = entry.partition("</Contents>")
    members = dict(_MEMBER.findall(entry)) if end else {}
    key, size = unescape(members.get("Key", "")), members.get("Size", "")
    if not key or not (size.isascii() and size.isdecimal()):
        raise NotFetched("not_a_list", detail="the store lists something without a key, a size or an end")
    return Listed(unquote_plus(key) if encoded else key, int(size), unescape(members.get("ETag", "")).strip('"'))
