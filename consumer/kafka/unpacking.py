"""
Unpacking what a batch holds, up to a bound, whatever the codec: 150 kB may be 150 MB unpacked.

    gzip      by zlib, a piece at a time
    snappy    says how large it is before it is unpacked: as one block, or as the blocks that Java's client writes
    lz4, zstd into a scratch area of the bound's size, which ends what does not fit

The scratch area is the process's: unpacking waits for nothing, so it is used by one batch at a time.
"""

import mmap
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam

from consumer.errors import ConsumerError

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
"""By their number in a batch's attributes."""

_PIECE = 262_144  # bytes
_KEPT = 1_048_576  # bytes of the scratch area that stay with the process between two batches
_XERIAL = b"\x82SNAPPY\x00"  # then two numbers, of versions
_XERIAL_HEADER = 16
_TOO_SMALL = "failed to write whole buffer"  # cramjam's words where the output does not fit


class TooLarge(ConsumerError):
    """What is packed is larger than the bound."""


class Garbled(ConsumerError):
    """What is packed is not what its codec writes, or the codec is none that is known."""


class _Scratch:
    """Writable memory of a fixed size, of which only what was written takes room."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.area = mmap.mmap(-1, size)
        self.view = memoryview(self.area)

    def tidy(self, used: int) -> None:
        """Give back what an unusually large batch took."""
        if used > _KEPT and hasattr(mmap, "MADV_DONTNEED"):
            self.area.madvise(mmap.MADV_DONTNEED)


_scratch: _Scratch | None = None


def codec_name(codec: int) -> str:
    """The codec's name, `unknown` of a number that none has."""
    return CODECS[codec] if 0 <= codec < len(CODECS) else "unknown"


def unpack(codec: int, packed: memoryview, bound: int, prefix: bytes = b"") -> bytes:
    """
    Return `prefix` and what is packed.

    Raises:
        TooLarge: it is more than `bound` bytes.
        Garbled: it cannot be unpacked. Nothing else escapes, whatever the bytes.
    """
    unpacker = _UNPACKERS.get(codec)
    if unpacker is None:
        raise Garbled(f"codec {codec} is none of {', '.join(CODECS)}")
    scratch = _scratch_of(bound)
    written = 0
    try:
        written = unpacker(packed, scratch.view)
        return b"".join((prefix, scratch.view[:written]))
    except (TooLarge, Garbled):
        written = scratch.size
        raise
    except Exception as error:  # noqa: BLE001 — the codecs have no error of their own
        written = scratch.size
        if _TOO_SMALL in str(error):
            raise TooLarge(f"more than {bound} bytes") from None
        raise Garbled(f"{codec_name(codec)}: {_short(error)}") from None
    except BaseException as error:  # how a panic of cramjam's shows
        if type(error).__name__ != "PanicException":
            raise
        raise Garbled(f"{codec_name(codec)}: cannot be unpacked") from None
    finally:
        scratch.tidy(written)


def _scratch_of(size: int) -> _Scratch:
    global _scratch
    if _scratch is None or _scratch.size != size:
        _scratch = _Scratch(size)
    return _scratch


def _gzip(packed: memoryview, out: memoryview) -> int:
    written, rest = 0, bytes(packed)
    while rest:  # a file of gzip may have several members
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.decompress(rest, _PIECE)
            rest = member.unconsumed_tail
            written = _append(piece, out, written)
            if not piece and not rest and not member.eof:
                raise Garbled("gzip: ends early")
        rest = member.unused_data.lstrip(b"\0")
    return written


def _snappy(packed: memoryview, out: memoryview) -> int:
    if packed[: len(_XERIAL)] != _XERIAL:
        return _snappy_block(packed, out, 0)
    written, position, end = 0, _XERIAL_HEADER, len(packed)
    while position < end:
        (size,) = struct.unpack_from(">i", packed, position)
        position += 4
        if not 0 < size <= end - position:
            raise Garbled(f"snappy: a block of {size} bytes")
        written = _snappy_block(packed[position : position + size], out, written)
        position += size
    return written


def _snappy_block(block: memoryview, out: memoryview, written: int) -> int:
    size = int(cramjam.snappy.decompress_raw_len(block))
    if size > len(out) - written:
        raise TooLarge(f"more than {len(out)} bytes")
    return written + int(cramjam.snappy.decompress_raw_into(block, out[written:])) if size else written


def _append(piece: bytes, out: memoryview, written: int) -> int:
    end = written + len(piece)
    if end > len(out):
        raise TooLarge(f"more than {len(out)} bytes")
    out[written:end] = piece
    return end


def _by(unpack_into: Callable[[Any, Any], int]) -> Callable[[memoryview, memoryview], int]:
    return lambda packed, out: int(unpack_into(packed, out))


_UNPACKERS: dict[int, Callable[[memoryview, memoryview], int]] = {
    1: _gzip,
    2: _snappy,
    3: _by(cramjam.lz4.decompress_into),
    4: _by(cramjam.zstd.decompress_into),
}


def _short(error: Exception) -> str:
    return str(error)[:80] or type(error).__name__
