"""
How many pictures a file has: the provider looks at one of them. Their pixels are not looked at. Pure.

Bytes come from strangers: what is damaged, has more than `MOST_FRAMES`, or cannot be told is None, which is never less.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

MOST_FRAMES = 1_000
"""That are counted."""
MOST_CHUNKS = 100_000
"""That are looked at: an image of 20 MB has a few thousand."""

_LONGEST_BRANDS = 4_096  # bytes
Order = Literal["big", "little"]

_SEQUENCES = (b"msf1", b"hevc", b"hevx", b"heim", b"heis")  # HEIF's brands of more than one picture


def frames_in(data: bytes, format_name: str) -> int | None:
    """Return how many pictures an image of a known format has; None where that cannot be told."""
    found = count_of(data, format_name)
    return found if found and found <= MOST_FRAMES else None


def count_of(data: bytes, format_name: str) -> int | None:
    """Return the same, where there are more than `MOST_FRAMES` as well; but those of a TIFF are not counted."""
    count = _COUNTERS.get(format_name)
    found = count(data) if count else None
    return found if found and found > 0 else None


def chosen(count: int, most: int, *, judged: int = 0) -> tuple[int, ...]:
    """
    Which of so many frames are looked at, from 0: all, or `most` of them, spread evenly from the first to the last.

    Where that is one it is the one that the provider would have `judged`.
    """
    if count <= most:
        return tuple(range(count))
    if most == 1:
        return (judged,)
    return tuple(nth * (count - 1) // (most - 1) for nth in range(most))


def _one(data: bytes) -> int:
    return 1


def _gif(data: bytes) -> int | None:
    at, frames, blocks = 13 + _colours(data, 10), 0, MOST_CHUNKS
    while blocks > 0:
        match data[at : at + 1]:
            case b";":
                return frames
            case b",":  # a picture
                frames += 1
                at, blocks = _behind_blocks(data, at + 11 + _colours(data, at + 9), blocks)
            case b"!":  # an extension
                at, blocks = _behind_blocks(data, at + 2, blocks)
            case _:
                return None
    return None


def _colours(data: bytes, at: int) -> int:
    """Bytes of the table of colours that a byte of flags announces."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_blocks(data: bytes, at: int, most: int) -> tuple[int, int]:
    """Where the blocks that begin here have ended, and how many more may be looked at."""
    while most > 0:
        length = data[at] if at < len(data) else 0
        at, most = at + 1 + length, most - 1
        if not length:
            break
    return at, most


def _png(data: bytes) -> int | None:
    """Count an animation's frames, and the picture that stands for it where it is none of them."""
    frames, still = 0, 0
    for kind, _ in _chunks(data, 8, "big", kind_first=False, behind=4):
        if kind == b"fcTL":
            frames += 1
        elif kind == b"IDAT" and not frames:
            still = 1
        elif kind == b"IEND":
            return frames + still
    return None


def _webp(data: bytes) -> int | None:
    if data[12:16] != b"VP8X" or not data[20:21] or not data[20] & 2:
        return 1
    chunks = list(_chunks(data, 12, "little", kind_first=True, behind=0))
    is_whole = bool(chunks) and chunks[-1][1] == len(data)
    return sum(kind == b"ANMF" for kind, _ in chunks) if is_whole else None


def _chunks(data: bytes, at: int, order: Order, *, kind_first: bool, behind: int) -> Iterator[tuple[bytes, int]]:
    """Yield the kind of each chunk and where it ends; `behind` bytes follow its contents, and RIFF's are even."""
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(data):
            return
        first, second = data[at : at + 4], data[at + 4 : at + 8]
        kind, length = (first, second) if kind_first else (second, first)
        size = int.from_bytes(length, order)
        at += 8 + size + behind + (size & 1 if kind_first else 0)
        yield kind, at


def _jpeg(data: bytes) -> int | None:
    """One, but for a file that announces more pictures behind the first (MPO)."""
    return None if b"MPF\0" in data else 1


def _ico(data: bytes) -> int:
    return int.from_bytes(data[4:6], "little")


def _tiff(data: bytes) -> int | None:
    order: Order = "big" if data[:2] == b"MM" else "little"
    is_big = 0x2B in data[2:4]
    # Lengths of: an offset, a directory's count, an entry.
    offset, counted, length = (8, 8, 20) if is_big else (4, 2, 12)
    at, seen = int.from_bytes(data[8 if is_big else 4 :][:offset], order), set[int]()
    while at:
        if at in seen or at + counted > len(data) or len(seen) >= MOST_FRAMES:
            return None
        seen.add(at)
        entries = int.from_bytes(data[at : at + counted], order)
        following = at + counted + entries * length
        if following + offset > len(data):
            return None
        at = int.from_bytes(data[following : following + offset], order)
    return len(seen)


def _heif(data: bytes) -> int | None:
    """One, but for sequences: of several pictures viewers show the primary one."""
    length = int.from_bytes(data[:4], "big")
    return None if not 8 < length <= _LONGEST_BRANDS or any(brand in data[8:length] for brand in _SEQUENCES) else 1


_COUNTERS: Mapping[str, Callable[[bytes], int | None]] = {
    "png": _png, "gif": _gif, "webp": _webp, "jpeg": _jpeg, "ico": _ico, "tiff": _tiff, "heif": _heif, "bmp": _one,
}  # fmt: skip
