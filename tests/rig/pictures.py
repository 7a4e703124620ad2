"""Images made on the spot."""

from io import BytesIO
from typing import Any

import pillow_heif
from PIL import Image


def picture(colour: str = "red", image_format: str = "PNG", size: tuple[int, int] = (240, 240)) -> bytes:
    """An image file of one colour."""
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, image_format)
    return file.getvalue()


def heif(image: Image.Image, **options: Any) -> bytes:
    """An image as a HEIF file. Pillow itself is left as it is: it reads no HEIF in this process."""
    file = BytesIO()
    pillow_heif.from_pillow(image).save(file, **options)
    return file.getvalue()


def psd(*planes: bytes, size: tuple[int, int]) -> bytes:
    """A PSD whose layers make together a picture of these planes, of 8 bits each: red, green and blue."""
    sides = size[1].to_bytes(4, "big") + size[0].to_bytes(4, "big")
    return b"8BPS\x00\x01" + bytes(6) + b"\x00\x03" + sides + b"\x00\x08\x00\x03" + bytes(14) + b"".join(planes)


def gradient(size: tuple[int, int], turned: int = 0) -> Image.Image:
    """A picture of which no two places are alike, turned by so many degrees: no encoder has an easy time with it."""
    across, down = (Image.linear_gradient("L").rotate(turned + angle).resize(size) for angle in (90, 0))
    return Image.merge("RGB", (across, down, Image.radial_gradient("L").resize(size)))
