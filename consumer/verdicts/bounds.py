"""
How large an outcome may be, and what is written instead of a part that is larger. Nothing here raises.

An outcome always fits: a verdict's value has at most 64 KiB, a key 8 KiB, and of the message's own headers 8 KiB are
carried on. A part that is larger is replaced or left out, and a header or `omitted` says so.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from math import modf

from consumer.records import Headers
from consumer.verdicts.foreign import EncodedHeaders, header_name

MOST_VALUE = 65_536  # bytes of a verdict's value, and of a dead letter's that is cut
MOST_KEY = 8_192  # bytes
MOST_FOREIGN = 32  # headers of the message's own in a verdict, or in a dead letter that is cut …
MOST_FOREIGN_BYTES = 8_192  # … and their names and values together
MOST_DEAD_LETTER = 16_777_216 + 1_048_576  # bytes of key, value and headers of one that is not cut

_LAST_MOMENT = 253_402_300_799.0  # unix seconds: the end of the year 9999, which RFC 3339 cannot pass


def bounded_key(key: bytes | None, prefix: str) -> tuple[bytes | None, EncodedHeaders]:
    """
    Return the key to write and the headers that explain it.

    A key beyond the bound becomes its SHA-256 in hex, which is the same for all records of the key: their order holds.
    """
    if key is None or len(key) <= MOST_KEY:
        return key, []
    digest = hashlib.sha256(key).hexdigest().encode()
    return digest, [(f"{prefix}key_size", str(len(key)).encode()), (f"{prefix}key_sha256", digest)]


def bounded_headers(headers: Headers, counter: str) -> EncodedHeaders:
    """Return the first headers that fit; the header `counter` says how many more there were."""
    kept: EncodedHeaders = []
    size = 0
    for name, value in headers:
        size += len(name.encode(errors="replace")) + len(value or b"")
        if len(kept) == MOST_FOREIGN or size > MOST_FOREIGN_BYTES:
            break
        kept.append((name, value))
    left_out = len(headers) - len(kept)
    return [*kept, (counter, str(left_out).encode())] if left_out else kept


def written_name(name: str) -> str:
    """See `header_name`; any other lone surrogate becomes a question mark."""
    try:
        return header_name(name)
    except UnicodeEncodeError:
        return name.encode(errors="replace").decode()


def text(value: object, most: int) -> str:
    """At most so many characters of a text, without what JSON cannot hold; what is no text is empty."""
    return value[:most].encode(errors="replace").decode() if isinstance(value, str) else ""


def rfc3339(unix_seconds: float) -> str:
    """Write a moment in UTC, with milliseconds: `2026-11-20T10:00:00.000Z`. The years are 1970 to 9999."""
    bounded = min(max(unix_seconds, 0.0), _LAST_MOMENT) if unix_seconds == unix_seconds else 0.0
    fraction, whole = modf(bounded)
    carry, microseconds = divmod(round(fraction * 1_000_000), 1_000_000)
    return f"{_second(int(whole) + carry)}.{microseconds // 1_000:03}Z"


@lru_cache(maxsize=64)
def _second(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
