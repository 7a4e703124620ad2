"""What the first bytes of an image say."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from consumer.images.formats import format_of, problem_of
from consumer.images.sizes import size_of
from consumer.vendor_facts.images import LIMITS, ImageLimits
from tests.rig.speed import is_quick

SIZE = (123, 45)


def saved(name: str, size: tuple[int, int] = SIZE, mode: str = "RGB", **options: Any) -> bytes:
    """An image by Pillow."""
    file = BytesIO()
    Image.new(mode, size, "red").save(file, name, **options)
    return file.getvalue()


def box(kind: bytes, *contents: bytes) -> bytes:
    """A box, as HEIF is made of them."""
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def ftyp(*brands: bytes) -> bytes:
    return box(b"ftyp", brands[0], bytes(4), *brands[1:])


def ispe(width: int, height: int) -> bytes:
    return box(b"ispe", bytes(4), struct.pack(">II", width, height))


def heif(*sizes: tuple[int, int], brands: tuple[bytes, ...] = (b"heic", b"mif1", b"heic")) -> bytes:
    """The head of a photograph with its thumbnail or tiles."""
    properties = box(b"ipco", box(b"hvcC", bytes(9)), *(ispe(*size) for size in sizes))
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(25)), box(b"iprp", properties, box(b"ipma", bytes(5))))
    return ftyp(*brands) + meta + box(b"mdat", bytes(100))


def bigtiff(order: str, width: int, height: int) -> bytes:
    """The head of a BigTIFF."""
    mark = b"MM\x00+" if order == ">" else b"II+\x00"
    entries = [struct.pack(order + "HHQQ", tag, 16, 1, value) for tag, value in ((256, width), (257, height))]
    return mark + struct.pack(order + "HHQQ", 8, 0, 16, 2) + b"".join(entries) + bytes(8)


def icons(*sides: int) -> bytes:
    """Icons in one file, in this order."""
    heads, images = b"", b""
    for side in sides:
        image = saved("PNG", (side, side))
        at = 6 + 16 * len(sides) + len(images)
        heads += struct.pack("<BBBBHHII", side % 256, side % 256, 0, 0, 1, 32, len(image), at)
        images += image
    return struct.pack("<HHH", 0, 1, len(sides)) + heads + images


MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "png": ("png", lambda: saved("PNG")),
    "jpeg": ("jpeg", lambda: saved("JPEG")),
    "jpeg, progressive": ("jpeg", lambda: saved("JPEG", progressive=True)),
    "jpeg with Exif": ("jpeg", lambda: saved("JPEG", exif=Image.Exif())),
    "jpeg, filled up": ("jpeg", lambda: b"\xff\xd8" + b"\xff" * 100 + saved("JPEG")[2:]),
    "gif": ("gif", lambda: saved("GIF")),
    "gif of frames": ("gif", lambda: saved("GIF", save_all=True, append_images=[Image.new("RGB", (123, 45), "blue")])),
    "webp": ("webp", lambda: saved("WEBP")),
    "webp, lossless": ("webp", lambda: saved("WEBP", lossless=True)),
    "webp, extended": ("webp", lambda: saved("WEBP", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00")),
    "bmp": ("bmp", lambda: saved("BMP")),
    "bmp of one bit": ("bmp", lambda: saved("BMP", mode="1")),
    "bmp, OS/2": ("bmp", lambda: b"BM" + bytes(12) + struct.pack("<IHHHH", 12, *SIZE, 1, 24)),
    "bmp, from above": ("bmp", lambda: b"BM" + bytes(12) + struct.pack("<Iii", 40, 123, -45) + bytes(28)),
    "tiff": ("tiff", lambda: saved("TIFF")),
    "tiff, packed": ("tiff", lambda: saved("TIFF", compression="tiff_lzw")),
    "tiff, big": ("tiff", lambda: saved("TIFF", big_tiff=True)),
    "tiff, big-endian": (
        "tiff", lambda: b"MM\x00*" + struct.pack(">IHHHIHHHHIHH", 8, 2, 256, 3, 1, 123, 0, 257, 3, 1, 45, 0)
    ),
    "tiff, big and big-endian": ("tiff", lambda: bigtiff(">", *SIZE)),
    "heif": ("heif", lambda: heif((16, 16), SIZE, (32, 32))),
    "heif of no special kind": ("heif", lambda: heif(SIZE, brands=(b"mif1", b"mif1", b"miaf"))),
}  # fmt: skip


@pytest.mark.parametrize("made", MADE)
def test_format_and_size_are_read(made: str) -> None:
    """
    Of what Pillow writes, and of kinds that it does not write; the provider has nothing against them.
    """
    name, make = MADE[made]
    data = make()

    assert format_of(data) == format_of(data[:1_024]) == name
    assert size_of(data, name) == SIZE
    assert problem_of(data) is None


def test_of_icons_the_last_counts() -> None:
    """
    As it does for the provider; 256 is written as 0, and an image in it knows better.
    """
    by_pillow = saved("ICO", (64, 64), sizes=[(16, 16), (64, 64)])

    assert format_of(by_pillow) == "ico"
    assert size_of(by_pillow, "ico") == (64, 64)
    assert size_of(icons(48, 16), "ico") == (16, 16)
    assert size_of(icons(16, 256), "ico") == (256, 256)
    assert size_of(icons(16, 700), "ico") == (700, 700)
    assert size_of(icons(16, 256)[:38], "ico") == (256, 256)


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10"/>'


@pytest.mark.parametrize(
    "text",
    [SVG, f" \n\t{SVG}", f"<?xml version='1.0'?>\n{SVG}", f"<!-- <b> -->{SVG}", "<svg>", "<svg:svg />",
     f'<?xml?><!-- a --><!DOCTYPE svg PUBLIC "a" "b"><!-- b -->{SVG}', f"<!DOCTYPE svg [<!ENTITY a 'b'>]>{SVG}"],
)  # fmt: skip
def test_an_svg_is_found_by_its_root(text: str) -> None:
    """
    Behind blanks, a declaration, comments and a document type; in any of Unicode's encodings that say so.
    """
    assert format_of(text.encode()) == format_of(b"\xef\xbb\xbf" + text.encode()) == "svg"
    assert format_of(b"\xff\xfe" + text.encode("utf-16-le")) == "svg"
    assert format_of(b"\xfe\xff" + text.encode("utf-16-be")) == "svg"
    assert size_of(text.encode(), "svg") is None
    assert problem_of(text.encode()) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"<", b"<html><svg></svg></html>", b"<svgx>", b"text <svg>", b"<!-- <svg>", b"<?xml", b" " * 1_024 + b"<svg>",
     b"<!DOCTYPE html><svgs>", b"BM is a name", b"\x00\x00\x01\x00", b"\x00\x00\x01\x00\x00\x00",
     b"\x00\x00\x02\x00\x01\x00",
     b"RIFF\x00\x00\x00\x00WAVE", ftyp(b"isom", b"mp42"), ftyp(b"M4A "), b"%PDF-1.7", b"PK\x03\x04", b"\x89PNG"],
)  # fmt: skip
def test_what_is_no_image_has_no_format(data: bytes) -> None:
    """
    Pages, other files, and those that begin like an image.
    """
    assert format_of(data) is None
    assert problem_of(data) == "format"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (saved("AVIF"), "avif"), (saved("JPEG2000"), "jp2"), (saved("JPEG2000", no_jp2=True), "jp2"),
        (ftyp(b"mif1", b"mif1", b"avif"), "avif"), (b"8BPS\x00\x01", "psd"),
    ],
)  # fmt: skip
def test_formats_that_the_provider_does_not_have_are_known(data: bytes, name: str) -> None:
    """
    AVIF is not taken for HEIF, whose boxes it has.
    """
    assert format_of(data) == name
    assert size_of(data, name) is None
    assert problem_of(data) == "format"


def png(width: int, height: int) -> bytes:
    """The head of a PNG of any size."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(9)


def test_what_the_provider_would_refuse_is_said() -> None:
    """
    Each limit, and what just keeps to it.
    """
    assert problem_of(png(16_384, 10_000)) is None
    assert problem_of(png(16_385, 1)) == "side_too_long"
    assert problem_of(png(1, 16_385)) == "side_too_long"
    assert problem_of(png(16_384, 10_193)) == "too_many_pixels"
    assert problem_of(heif((8_191, 8_191))) is None
    assert problem_of(heif((1, 8_192))) == "side_too_long"
    assert problem_of(png(1, 1) + bytes(LIMITS.max_bytes - 33)) is None
    assert problem_of(png(1, 1) + bytes(LIMITS.max_bytes)) == "too_large"
    assert problem_of(png(3, 1), ImageLimits(frozenset({"png"}), 100, 2, 10)) == "side_too_long"


def test_a_size_that_cannot_be_told_is_no_problem() -> None:
    """
    The provider finds out: damaged and empty images are not ours to judge.
    """
    for data in (
        png(0, 5),
        b"\xff\xd8\xff\xe0",
        saved("JPEG")[:100],
        b"II*\x00",
        heif(),
        saved("GIF")[:8],
        icons(16)[:10],
    ):
        assert size_of(data, format_of(data) or "") is None
        assert problem_of(data) is None


NAMES = ("png", "jpeg", "gif", "webp", "bmp", "tiff", "ico", "heif", "svg", "avif", "unknown")
HEADS = [make() for _, make in MADE.values()] + [icons(16, 32), SVG.encode(), ftyp(b"heic")]


@given(st.binary(max_size=200), st.sampled_from(NAMES))
def test_any_bytes_are_read(data: bytes, name: str) -> None:
    """
    Nothing is raised, whatever format they are said to have.
    """
    format_of(data)
    size = size_of(data, name)
    problem_of(data)

    assert size is None or min(size) > 0


@given(st.sampled_from(HEADS), st.integers(0, 400), st.binary(max_size=12), st.sampled_from(NAMES))
def test_damaged_images_are_read(head: bytes, at: int, damage: bytes, name: str) -> None:
    """
    Bytes in the midst of an image are others, or it ends there.
    """
    for data in (head[:at] + damage + head[at + len(damage) :], head[:at] + damage):
        problem_of(data)
        size_of(data, name)


@pytest.mark.parametrize(
    "data",
    [
        lambda size: b"\xff\xd8" + b"\xff" * size,
        lambda size: b"\xff\xd8" + b"\xff\xe0\x00\x02" * (size // 4),
        lambda size: ftyp(b"heic") + box(b"free") * (size // 8),
        lambda size: ftyp(b"heic") + box(b"meta", bytes(4), box(b"free") * (size // 8)),
        lambda size: heif(*[(1, 1)] * (size // 200)),
        lambda size: b"II*\x00\x08\x00\x00\x00\xff\xff" + b"\x03\x00" * (size // 2),
        lambda size: b"<!---->" * (size // 7),
        lambda size: b"<!DOCTYPE" * (size // 9),
        lambda size: b"<" * size,
        lambda size: ftyp(*[b"abcd"] * (size // 20)),
    ],
    ids=["filling", "segments", "boxes", "boxes in a box", "sizes", "entries", "comments", "types", "angles", "brands"],
)  # fmt: skip
def test_no_image_makes_work_for_long(data: Callable[[int], bytes]) -> None:
    """
    20 MB of what its format has most of.
    """
    assert is_quick(problem_of, lambda size: data(size)[:size], 0.1, 20 * 1024 * 1024)
