"""
The bytes of an image as they were before its `Content-Encoding`, piece by piece and as many as are wanted. Pure.

We ask for none, and some servers encode all the same.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

from consumer.images.errors import NotFetched

STEP = 262_144  # bytes that are unpacked at once

_GZIP = zlib.MAX_WBITS | 16
_ZLIB = zlib.MAX_WBITS
_DEFLATE = -zlib.MAX_WBITS


class Unpacking(Protocol):
    """Takes what comes, and gives what it stands for."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The next pieces, none of them longer than what comes at once or `STEP`."""

    def finish(self) -> None:
        """
        Raises:
            NotFetched: `truncated`.
        """


def unpacking(encodings: list[str]) -> Unpacking:
    """
    Choose by `Content-Encoding`: none, `identity`, `gzip` or `deflate`, and one of them only.

    Raises:
        NotFetched: `content_encoding`.
    """
    match ",".join(encodings).strip().lower():
        case "" | "identity":
            return _AsItIs()
        case "gzip" | "x-gzip":
            return _Inflating(_GZIP)
        case "deflate":  # RFC 9110: the format of zlib; some leave its frame out
            return _Inflating(None)
    raise NotFetched("content_encoding", detail="is none that we read", answered=True)


class _AsItIs:
    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        return


class _Inflating:
    def __init__(self, window: int | None) -> None:
        self._inflating = None if window is None else zlib.decompressobj(window)
        self._first = b""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        if self._inflating is None:
            chunk = self._first + chunk
            if len(chunk) < 2:
                self._first = chunk
                return
            self._inflating = zlib.decompressobj(_ZLIB if _has_zlib_frame(chunk) else _DEFLATE)
        try:
            piece = None
            while chunk or piece is None or len(piece) == STEP:  # zlib may have more to give when it has taken all
                piece = self._inflating.decompress(chunk, STEP)
                yield piece
                chunk = self._inflating.unconsumed_tail
        except zlib.error:
            raise NotFetched("content_encoding", detail="is another than it says", answered=True) from None
        if self._inflating.unused_data:
            raise NotFetched("content_encoding", detail="goes on behind its end", answered=True)

    def finish(self) -> None:
        if self._inflating is None or not self._inflating.eof:
            raise NotFetched("truncated", again=True, detail="ends before what is packed does", answered=True)


def _has_zlib_frame(body: bytes) -> bool:
    return body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
