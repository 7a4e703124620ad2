"""
The bytes of an answer: how many may come, and what they are once unpacked. Pure.

An answer about an image has less than 2 kB, and with all that `infoType` can add less than 100 kB. The bound is a
call's, and grows with the images that it is about: times `provider.max_in_flight`, raw and unpacked, it is what answers
can take of the memory.
"""

import zlib

MOST_BYTES = 1_048_576  # of an answer's body, as it comes and once more when it is unpacked
MORE_BYTES = 131_072  # for each further image

_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_DEFLATE = -zlib.MAX_WBITS


class Unreadable(Exception):
    """A body that is not read: `why` is `too_large` or `content_encoding`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def most_bytes(images: int) -> int:
    """How many bytes an answer about so many images may have."""
    return MOST_BYTES + max(0, images - 1) * MORE_BYTES


def unpacked(body: bytes, encoding: str, most: int = MOST_BYTES) -> bytes:
    """
    Return a body as it was before its `Content-Encoding`: none, `identity`, `gzip` or `deflate`, and one of them only.

    Bytes that are missing, and bytes behind the end, are no answer either.

    Raises:
        Unreadable: the encoding is another, the bytes are not of it, or they would be more than `most`.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflated(body, _GZIP, most)
        case "deflate":  # RFC 9110: the format of zlib; some leave its frame out
            return _inflated(body, _ZLIB if _has_zlib_frame(body) else _DEFLATE, most)
    raise Unreadable("content_encoding")


def _inflated(body: bytes, window: int, most: int) -> bytes:
    inflating = zlib.decompressobj(window)
    try:
        content = inflating.decompress(body, most + 1)
    except zlib.error:
        raise Unreadable("content_encoding") from None
    if len(content) > most:
        raise Unreadable("too_large")
    if not inflating.eof or inflating.unused_data:
        raise Unreadable("content_encoding")
    return content


def _has_zlib_frame(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
