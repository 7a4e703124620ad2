"""A folder with real images of every format that is taken, and files that are none."""

import itertools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from tests.images.preparing.files import written
from tests.rig.pictures import gradient, heif, psd

CONVERTED = ("AVIF", "JPEG 2000", "PSD")
"""Formats that are taken where `images.convert` is on."""
NO_IMAGES = {
    "page.png": b"<!doctype html><title>404</title>",
    "text.jpg": b"not found\n",
    "zeros.gif": bytes(1_000),
    "archive.webp": b"PK\x03\x04" + bytes(100),
    "document.tiff": b"%PDF-1.7\n",
    "video.heic": struct.pack(">I", 24) + b"ftypisom" + bytes(4) + b"isommp42" + bytes(100),
}
"""Files that have an image's name."""


def _frames(number: int) -> tuple[Image.Image, list[Image.Image]]:
    """Three pictures, each of other content."""
    first, *others = (gradient(_size(number), number + 40 * nth) for nth in range(3))
    return first, others


def _animated(kind: str, number: int) -> bytes:
    first, others = _frames(number)
    return written(first, kind, save_all=True, append_images=others)


def _still(kind: str, number: int) -> bytes:
    return written(gradient(_size(number), number), kind)


def _psd(number: int) -> bytes:
    planes = [plane.tobytes() for plane in gradient(_size(number), number).split()]
    return psd(*planes, size=_size(number))


def _svg(number: int) -> bytes:
    drawn = "".join(f'<circle cx="{at}" cy="{number}" r="{at % 9}" fill="#{at * 999:06x}"/>' for at in range(20))
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="240" height="240">{drawn}</svg>'.encode()


def _size(number: int) -> tuple[int, int]:
    """Sides that are no multiples of anything, and other ones each time."""
    return 61 + number % 37, 47 + number % 23


FORMATS: dict[str, Callable[[int], bytes]] = {
    "PNG": lambda number: _still("PNG", number),
    "PNG of frames": lambda number: _animated("PNG", number),
    "JPEG": lambda number: _still("JPEG", number),
    "JPEG with others behind it": lambda number: _animated("MPO", number),
    "BMP": lambda number: _still("BMP", number),
    "WEBP": lambda number: _still("WEBP", number),
    "WEBP of frames": lambda number: _animated("WEBP", number),
    "TIFF": lambda number: _still("TIFF", number),
    "TIFF of pages": lambda number: _animated("TIFF", number),
    "GIF": lambda number: _still("GIF", number),
    "GIF of frames": lambda number: _animated("GIF", number),
    "ICO": lambda number: _still("ICO", number),
    "SVG": _svg,
    "HEIF": lambda number: heif(gradient(_size(number), number)),
    "AVIF": lambda number: _still("AVIF", number),
    "JPEG 2000": lambda number: _still("JPEG2000", number),
    "PSD": _psd,
}


def in_every_format(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """
    Write so many images, in turn in every format, no two alike; yield each file's name and format.

    Names have no suffix: what a file is, is known by its bytes.
    """
    for number, kind in zip(range(count), itertools.cycle(FORMATS), strict=False):
        name = f"{number:04}"
        (folder / name).write_bytes(FORMATS[kind](number))
        yield name, kind


def no_images(folder: Path) -> None:
    """Write files that are no images."""
    for name, content in NO_IMAGES.items():
        (folder / name).write_bytes(content)
