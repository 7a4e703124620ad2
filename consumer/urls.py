"""
URLs as they are shown: whatever we write of a URL has passed here.

The user part of a URL and the query of a presigned one are credentials. Nothing here raises, whatever the text.
"""

import re

_AUTHORITY_END = re.compile(r"[/\\?#]")
_PATH_END = re.compile(r"[?#]")


def shown_url(url: str, *, keep_query: bool = False) -> str:
    """Return a URL without its user part, its query and its fragment; `keep_query` leaves the last two."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    end = _AUTHORITY_END.search(rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if not keep_query:
        tail = _PATH_END.split(tail, maxsplit=1)[0]
    return scheme + separator + authority.rpartition("@")[2] + tail
