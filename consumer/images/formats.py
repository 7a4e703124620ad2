"""
What the first bytes of an image say: its format, and what of it the provider would refuse. Pure.

Bytes come from strangers: nothing here raises, and nothing works for long.
"""

import re
from collections.abc import Iterator

from consumer.images.sizes import size_of
from consumer.vendor_facts.images import LIMITS, ImageLimits

SNIFFED = 1_024  # bytes that the beginning of an SVG is looked for in

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),  # BigTIFF
    (b"MM\x00+", "tiff"),
    (b"8BPS", "psd"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
)
_BITMAP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # their sizes, which tell BMP from text that begins with BM
_HEVC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}
_HEIF = _HEVC | {b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SVG = re.compile(r"<(?:svg:)?svg[\s/>]")
_DOCTYPE = "<!doctype"


def format_of(first_bytes: bytes) -> str | None:
    """
    The format by its first bytes: png, jpeg, gif, webp, bmp, tiff, ico, heif or svg; or avif, jp2 or psd, which are
    known only to be told from others. None for whatever else. The first 1,024 bytes are enough.
    """
    for magic, name in _MAGIC:
        if first_bytes.startswith(magic):
            return name
    if first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP":
        return "webp"
    if first_bytes[:2] == b"BM" and int.from_bytes(first_bytes[14:18], "little") in _BITMAP_HEADERS:
        return "bmp"
    if first_bytes[:4] == b"\x00\x00\x01\x00" and first_bytes[4:6] not in (b"", b"\x00\x00"):
        return "ico"
    if first_bytes[4:8] == b"ftyp":
        return _format_by_brands(list(_brands(first_bytes)))
    return "svg" if _is_svg(first_bytes[:SNIFFED]) else None


def problem_of(data: bytes, limits: ImageLimits = LIMITS) -> str | None:
    """
    What of an image the provider would refuse: `too_large`, `format`, `side_too_long` or `too_many_pixels`. None where
    nothing is known to be against it.
    """
    if len(data) > limits.max_bytes:
        return "too_large"
    name = format_of(data[:SNIFFED])
    if name is None or name not in limits.formats:
        return "format"
    size = size_of(data, name)
    if size is None:
        return None
    if max(size) > limits.max_side_by_format.get(name, limits.max_side):
        return "side_too_long"
    return "too_many_pixels" if size[0] * size[1] > limits.max_pixels else None


def _brands(data: bytes) -> Iterator[bytes]:
    """The major brand and those that it is compatible with."""
    yield data[8:12]
    end = min(int.from_bytes(data[:4], "big"), len(data), SNIFFED)
    for at in range(16, end - 3, 4):
        yield data[at : at + 4]


def _format_by_brands(brands: list[bytes]) -> str | None:
    if brands[0] in _HEVC:
        return "heif"
    if not _AVIF.isdisjoint(brands):
        return "avif"
    return None if _HEIF.isdisjoint(brands) else "heif"


def _is_svg(data: bytes) -> bool:
    """Whether `<svg` comes after blanks, declarations and comments."""
    text = _text(data).lstrip()
    while (rest := _behind_what_may_come_first(text)) is not None:
        text = rest.lstrip()
    return _SVG.match(text) is not None


def _text(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "replace")


def _behind_what_may_come_first(text: str) -> str | None:
    if text.startswith("<?"):
        return _behind(text, "?>")
    if text.startswith("<!--"):
        return _behind(text, "-->")
    if text[: len(_DOCTYPE)].lower() == _DOCTYPE:
        has_subset = "[" in text.partition(">")[0]
        return _behind(text.partition("]")[2] if has_subset else text, ">")
    return None


def _behind(text: str, end: str) -> str | None:
    _, found, rest = text.partition(end)
    return rest if found else None
