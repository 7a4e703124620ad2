"""
What a dead letter says of records that could not be read, and how header names that are no UTF-8 are written.

aiokafka writes header names as UTF-8 and nothing else, so the bytes of such a name cannot be written as they were. They
are written percent-encoded (RFC 3986: what is not an unreserved character is `%XX`), and `dlq_escaped_headers`, a JSON
list, tells which names of the dead letter are: `unquote_to_bytes` of `urllib.parse` leads back to the bytes.
"""

from collections.abc import Collection
from urllib.parse import quote_from_bytes

import orjson

from consumer.records import Headers, Unreadable

EncodedHeaders = list[tuple[str, bytes | None]]

ESCAPED = "dlq_escaped_headers"


def written_headers(headers: Headers, ours: Collection[str]) -> EncodedHeaders:
    """
    Return a message's own headers as its dead letter has them, in their order.

    One with a name of `ours` is called `original_…`, and one whose name is no UTF-8 by what `header_name` makes of it.
    """
    ours = {*ours, ESCAPED}
    written: EncodedHeaders = []
    escaped: dict[str, None] = {}
    for name, value in headers:
        shown = header_name(name)
        if shown != name:
            escaped[shown] = None
        written.append((f"original_{shown}" if shown in ours else shown, value))
    if escaped:
        written.append((ESCAPED, orjson.dumps(list(escaped))))
    return written


def header_name(name: str) -> str:
    """
    Return the name as it can be written: itself, or percent-encoded where it was no UTF-8.

    `name` is decoded with `surrogateescape`: what was no UTF-8 is a surrogate.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return quote_from_bytes(name.encode(errors="surrogateescape"), safe="")
    return name


def unreadable_headers(unreadable: Unreadable | None) -> EncodedHeaders:
    """Which records the batch held that is the dead letter's value."""
    if unreadable is None:
        return []
    return [
        ("dlq_first_offset", str(unreadable.first_offset).encode()),
        ("dlq_last_offset", str(unreadable.last_offset).encode()),
        ("dlq_record_count", str(unreadable.count).encode()),
        ("dlq_codec", unreadable.codec.encode()),
    ]
