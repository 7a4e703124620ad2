"""
Width and height of an image as its headers have them; its pixels are not looked at. Pure.

Bytes come from strangers: each reader takes `MOST_STEPS` at the most, and what it cannot tell is None.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from consumer.vendor_facts.images import judged_picture

Size = tuple[int, int]
Order = Literal["big", "little"]

MOST_STEPS = 4_096
"""Segments, entries or boxes. Photographs have a few dozen."""

_WIDTH, _HEIGHT = 256, 257  # TIFF's tags
_WHOLE_NUMBERS = {3: 2, 4: 4, 16: 8}  # TIFF's types, and how many bytes each has
_NO_FRAMES = {0xC4, 0xC8, 0xCC}  # JPEG's tables, among its markers of frames
_BARE = {0x01, *range(0xD0, 0xD9)}  # JPEG's markers without a segment
_PNG_HEADER = 24


def size_of(data: bytes, name: str) -> Size | None:
    """
    Width and height in pixels of an image whose format is known.

    None where it cannot be told: for an SVG, for what is damaged, and for formats that are not judged.
    """
    read = _READERS.get(name)
    size = read(data) if read else None
    return size if size and min(size) > 0 else None


def _png(data: bytes) -> Size | None:
    if data[12:16] != b"IHDR" or len(data) < _PNG_HEADER:
        return None
    return _number(data, 16, 4, "big"), _number(data, 20, 4, "big")


def _gif(data: bytes) -> Size | None:
    return _number(data, 6, 2), _number(data, 8, 2)


def _bmp(data: bytes) -> Size | None:
    if len(data) < 26:
        return None
    if _number(data, 14, 4) in (12, 16):
        return _number(data, 18, 2), _number(data, 20, 2)
    # The height is negative where the first row is the upper one.
    return int.from_bytes(data[18:22], "little", signed=True), abs(int.from_bytes(data[22:26], "little", signed=True))


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8X":
        return _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = _number(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    return None


def _jpeg(data: bytes) -> Size | None:
    at = 2
    for _ in range(MOST_STEPS):
        if len(data) < at + 9 or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            return _number(data, at + 7, 2, "big"), _number(data, at + 5, 2, "big")
        if marker in (0xD9, 0xDA):  # the end, and the image itself
            return None
        at += _length_of_segment(data, at, marker)
    return None


def _length_of_segment(data: bytes, at: int, marker: int) -> int:
    if marker == 0xFF:  # any number of them may fill up
        return 1
    return 2 if marker in _BARE else 2 + max(2, _number(data, at + 2, 2, "big"))


def _ico(data: bytes) -> Size | None:
    """The size of the image that the provider judges."""
    count = _number(data, 4, 2)
    at = 6 + 16 * judged_picture("ico", count)
    entry = data[at : at + 16]
    if count == 0 or len(entry) < 16:
        return None
    image = _number(entry, 12, 4)
    return _png(data[image : image + _PNG_HEADER]) or (entry[0] or 256, entry[1] or 256)


def _tiff(data: bytes) -> Size | None:
    """The first image."""
    order: Order = "big" if data[:2] == b"MM" else "little"
    is_big = 0x2B in data[2:4]
    # Lengths of: an offset, a directory's count, an entry; where in an entry its value is.
    offset, counted, length, value = (8, 8, 20, 12) if is_big else (4, 2, 12, 8)
    directory = _number(data, 8 if is_big else 4, offset, order)
    found: dict[int, int] = {}
    for nth in range(min(_number(data, directory, counted, order), MOST_STEPS)):
        at = directory + counted + nth * length
        size = _WHOLE_NUMBERS.get(_number(data, at + 2, 2, order))
        if size and len(data) >= at + length:
            found.setdefault(_number(data, at, 2, order), _number(data, at + value, size, order))
    return (found[_WIDTH], found[_HEIGHT]) if _WIDTH in found and _HEIGHT in found else None


def _heif(data: bytes) -> Size | None:
    """The largest of the sizes that its images have: those of thumbnails and of tiles are smaller."""
    within = (0, len(data))
    for kind, skipped in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0)):
        found = next(_boxes(data, within, kind), None)
        if found is None:
            return None
        within = found[0] + skipped, found[1]
    sizes = [_ispe(data, at) for at, end in _boxes(data, within, b"ispe") if end - at >= 12]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _ispe(data: bytes, at: int) -> Size:
    return _number(data, at + 4, 4, "big"), _number(data, at + 8, 4, "big")


def _boxes(data: bytes, within: tuple[int, int], kind: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes of one kind begin and end, inside of another box."""
    at, most = within
    for _ in range(MOST_STEPS):
        length, header = _number(data, at, 4, "big"), 8
        if length == 1:
            length, header = _number(data, at + 8, 8, "big"), 16
        end = most if length == 0 else at + length
        if at + header > most or 0 < length < header or end > most:
            return
        if data[at + 4 : at + 8] == kind:
            yield at + header, end
        at = end


def _number(data: bytes, at: int, length: int, order: Order = "little") -> int:
    return int.from_bytes(data[at : at + length], order)


_READERS: Mapping[str, Callable[[bytes], Size | None]] = {
    "png": _png, "gif": _gif, "bmp": _bmp, "webp": _webp, "jpeg": _jpeg, "ico": _ico, "tiff": _tiff, "heif": _heif,
}  # fmt: skip
