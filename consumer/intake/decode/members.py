"""
Checked reading of a parsed document's members.

Every function names the member it complains about and never its value: URLs hold credentials. `where` is the path of
the document that holds the member, with its dot (`images[2].`). An empty text counts as an absent one, because many
producers write "" for what they do not know.
"""

import base64
import binascii
import re
from calendar import monthrange
from datetime import UTC, datetime
from typing import Any

import orjson

from consumer.intake.decode.reasons import Rejection

Document = dict[str, Any]

MAX_INTEGER = 2**53 - 1  # JSON: beyond it two integers may be one to those who read numbers as doubles
MAX_TEXT = 1024  # characters; S3 and OSS allow keys of 1,024 and 1,023 bytes, everything else is shorter

# RFC 3339 with its mandatory offset; the leap second is allowed.
_TIMESTAMP = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._:-]{1,80}")


def parse(text: bytes, where: str = "value") -> Any:
    """Read a JSON document. Numbers that overflow, NaN, lone surrogates and deep nesting are no JSON here."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Rejection.NOT_JSON.at(where, str(error)) from None  # the cause would carry the whole value along


def document_in(text: str) -> Document | None:
    """Return the JSON object that a text holds, as it is or in base64 of any kind; None where it holds none."""
    found = _object(text.encode())
    if found is not None:
        return found
    encoded = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _object(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        return None


def _object(text: bytes) -> Document | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def required_object(parent: Document, name: str, where: str = "") -> Document:
    """Return a member that must be an object."""
    value = parent.get(name)
    if isinstance(value, dict):
        return value
    if value is None:
        raise Rejection.MISSING_MEMBER.at(where + name, "is required")
    raise Rejection.BAD_MEMBER.at(where + name, "must be an object")


def optional_object(parent: Document, name: str, where: str = "") -> Document | None:
    """Return a member that is an object, null or absent."""
    value = parent.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise Rejection.BAD_MEMBER.at(where + name, "must be an object")


def required_text(parent: Document, name: str, where: str = "", *, limit: int = MAX_TEXT) -> str:
    """Return a member that must be a text of at most `limit` characters."""
    text = optional_text(parent, name, where, limit=limit)
    if text is None:
        raise Rejection.MISSING_MEMBER.at(where + name, "is required")
    return text


def optional_text(parent: Document, name: str, where: str = "", *, limit: int = MAX_TEXT) -> str | None:
    """Return a member that is a text, or None for one that is null, empty or absent."""
    value = parent.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejection.BAD_MEMBER.at(where + name, "must be a string")
    if len(value) > limit:
        raise Rejection.TOO_LONG.at(where + name, f"longer than {limit} characters")
    return value or None


def optional_integer(parent: Document, name: str, where: str = "") -> int | None:
    """Return a member that is an integer which every reader of JSON takes exactly, null or absent."""
    value = parent.get(name)
    if value is None:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise Rejection.BAD_MEMBER.at(where + name, "must be an integer")
    if abs(value) > MAX_INTEGER:
        raise Rejection.BAD_MEMBER.at(where + name, "must be an integer below 2^53")
    return value


def optional_size(parent: Document, name: str, where: str = "") -> int | None:
    """Return a number of bytes. Digits in a string count as well: Ceph's documentation writes sizes so."""
    value = parent.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdecimal():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Rejection.BAD_MEMBER.at(where + name, "must be a number of bytes")
    return value


def optional_timestamp(parent: Document, name: str, where: str = "") -> str | None:
    """Return a member that is an RFC 3339 timestamp, as it is written, or None where there is none."""
    text = optional_text(parent, name, where)
    return text and timestamp(text, where + name)


def moment(unix_seconds: float) -> str | None:
    """Write a time after 1970 in UTC with milliseconds; None where no calendar has it, as Kafka's -1."""
    try:
        written = datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return None
    return written.replace("+00:00", "Z") if unix_seconds > 0 else None


def timestamp(text: str, where: str) -> str:
    """Return `text` if it is an RFC 3339 timestamp."""
    if not is_timestamp(text):
        raise Rejection.BAD_MEMBER.at(where, "must be an RFC 3339 timestamp with an offset")
    return text


def is_timestamp(text: str) -> bool:
    """Tell whether a text is an RFC 3339 timestamp of a day that there is; most readers of dates have no year 0000."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None or found[1] == "0000":
        return False
    return found[3] <= "28" or int(found[3]) <= monthrange(int(found[1]), int(found[2]))[1]


def written(members: Document, where: str) -> bytes:
    """
    Return members as the compact JSON object that will be written, and refuse what could be read but not written.

    orjson 3.13 reads 1,024 levels and writes 254, of which the last 8 are left to whatever the object is put into.
    """
    try:
        return orjson.dumps([[[[[[[[members]]]]]]]])[8:-8]
    except orjson.JSONEncodeError:
        raise Rejection.TOO_DEEP.at(where, "nests too deeply to be written again") from None


def named(text: str) -> str:
    """Quote a name for an error's detail, unless it does not look like a name and might hold anything."""
    return f"{text!r}" if _PLAIN_NAME.fullmatch(text) else "a name of unusual characters"
