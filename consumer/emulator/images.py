"""
Looks at an image as far as a judge by rules needs to: is it one, how large, of what average colour.

Sizes are judged from the header, before a pixel is decoded. What is decoded is decoded whole, so a truncated file is
refused as the provider refuses it. Three things are looked at less closely: HEIF, for which Pillow has no decoder
(its size is read from the container, its colour is unknown), SVG (well-formed XML with an `svg` root is accepted, it
is not drawn), and images of more than `MAX_DECODED_PIXELS` (header only).

Vendor: image requirements and response codes 406 and 407 of the synchronous 2.0 API.
"""

import colorsys
import hashlib
import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final, Literal
from xml.parsers import expat

from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.IcoImagePlugin import IcoImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from consumer.emulator.errors import ServiceError

MAX_BYTES: Final = 20 * 1024 * 1024
MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 167_000_000
MAX_HEIF_SIDE: Final = 8_191
MAX_DECODED_PIXELS: Final = 40_000_000
"""Decoding more would cost more memory (4 bytes a pixel) than a stand-in should take."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an API takes. Sides and pixels are the most; all formats, or the common ones alone."""

    side: int
    pixels: int
    all_formats: bool


OF_2_0: Final = Limits(MAX_SIDE, MAX_PIXELS, True)
OF_1_0: Final = Limits(30_000, 250_000_000, False)
"""Vendor: PNG, JPEG, BMP, GIF and WebP, of at most 30,000 pixels a side and 250 million in all."""
_COMMON: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP")

Colour = Literal["black", "white", "grey", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"]

# Upper edge of each hue, in degrees. Red lies on both sides of zero.
_HUES: Final[tuple[tuple[float, Colour], ...]] = (
    (15, "red"),
    (45, "orange"),
    (70, "yellow"),
    (165, "green"),
    (200, "cyan"),
    (260, "blue"),
    (310, "purple"),
    (345, "pink"),
    (360, "red"),
)
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of one image. Sides are in pixels, 0 where the format has none (SVG)."""

    sha256: str
    width: int
    height: int
    average_colour: Colour | None


@dataclass(slots=True)
class Gallery:
    """Remembers what the last images looked like, by hash, refusals too. Safe to use from several threads."""

    capacity: int = 4096
    limits: Limits = OF_2_0
    _seen: OrderedDict[str, Picture | ServiceError] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        """How many images are remembered."""
        return len(self._seen)

    def look(self, data: bytes) -> Picture:
        """As `look`, decoding an image once. Raises: ServiceError 406, 407."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self._lock:
            known = self._seen.get(sha256)
        if known is None:
            known = self._look(data, sha256)
            with self._lock:
                self._seen[sha256] = known
                if len(self._seen) > self.capacity:
                    self._seen.popitem(last=False)
        if isinstance(known, ServiceError):
            raise ServiceError(known.code, known.message)
        return known

    def _look(self, data: bytes, sha256: str) -> Picture | ServiceError:
        try:
            return look(data, sha256, self.limits)
        except ServiceError as refusal:
            # Without its traceback and cause, which hold the bytes.
            return ServiceError(refusal.code, refusal.message)


def look(data: bytes, sha256: str, limits: Limits = OF_2_0) -> Picture:
    """
    Look at one image.

    Raises: ServiceError 406 (too large), 407 (not an image, or of no supported format).
    """
    if len(data) > MAX_BYTES:
        raise _too_large(f"more than {MAX_BYTES} bytes")
    try:
        return _look_by_format(data, sha256, limits)
    except ServiceError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("more pixels than can be decoded") from error
    except Exception as error:  # Pillow 13's decoders raise whatever the broken bytes lead them to.
        raise _unsupported(f"cannot be decoded ({type(error).__name__})") from error


def _look_by_format(data: bytes, sha256: str, limits: Limits) -> Picture:
    if limits.all_formats and data[4:8] == b"ftyp":
        width, height = _heif_size(data)
        if max(width, height) > MAX_HEIF_SIDE:
            raise _too_large("a HEIF side of 8192 px or more")
        return Picture(sha256, width, height, None)
    if limits.all_formats and data.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<"):
        _check_svg(data)
        return Picture(sha256, 0, 0, None)
    with open_image(data) as image:
        if not limits.all_formats and image.format not in _COMMON:
            raise _unsupported("of no supported format")
        width, height = image.size
        if max(width, height) > limits.side:
            raise _too_large(f"a side of more than {limits.side} px")
        if width * height > limits.pixels:
            raise _too_large(f"more than {limits.pixels} pixels")
        colour = _average_colour(image) if width * height <= MAX_DECODED_PIXELS else None
        return Picture(sha256, width, height, colour)


def open_image(data: bytes) -> ImageFile.ImageFile:
    """
    Read the header of an image that is neither HEIF nor SVG.

    `Image.open` would try formats that the provider refuses, and has its own pixel limit. Raises: ServiceError 407, and
    what Pillow's decoders raise.
    """
    match data[:4]:
        case b"\x89PNG":
            return PngImageFile(BytesIO(data))
        case b"GIF8":
            return GifImageFile(BytesIO(data))
        case b"RIFF" if data[8:12] == b"WEBP":
            return WebPImageFile(BytesIO(data))
        case b"II*\x00" | b"MM\x00*":
            return TiffImageFile(BytesIO(data))
        case b"\x00\x00\x01\x00":
            return _open_last_icon(data)
        case magic if magic[:3] == b"\xff\xd8\xff":
            return JpegImageFile(BytesIO(data))
        case magic if magic[:2] == b"BM":
            return BmpImageFile(BytesIO(data))
    raise _unsupported("of no supported format")


def _open_last_icon(data: bytes) -> ImageFile.ImageFile:
    """Vendor: of an ICO file only the last image is used."""
    count = struct.unpack_from("<H", data, 4)[0]
    entry = 6 + 16 * (count - 1)
    size, offset = struct.unpack_from("<II", data, entry + 8)
    content = data[offset : offset + size]
    if content.startswith(b"\x89PNG"):
        return PngImageFile(BytesIO(content))
    alone = struct.pack("<HHH", 0, 1, 1) + data[entry : entry + 8] + struct.pack("<II", len(content), 22) + content
    return IcoImageFile(BytesIO(alone))


def _heif_size(data: bytes) -> tuple[int, int]:
    """The largest side lengths among the container's items (ISO 23008-12: `ispe` in meta/iprp/ipco)."""
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, struct.unpack_from(">I", data)[0], 4)}
    # AVIF, which the provider does not list, says that it is compatible with mif1.
    if not brands & _HEIF_BRANDS or data[8:12] in (b"avif", b"avis"):
        raise _unsupported("of no supported format")
    properties = _box(_box(_box(data, b"meta")[4:], b"iprp"), b"ipco")
    sizes = [struct.unpack_from(">II", body, 4) for kind, body in _boxes(properties) if kind == b"ispe"]
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _box(data: bytes, wanted: bytes) -> bytes:
    return next(body for kind, body in _boxes(data) if kind == wanted)


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    boxes: list[tuple[bytes, bytes]] = []
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            size = struct.unpack_from(">Q", data, at + 8)[0]
            header = 16
        elif size == 0:
            size = len(data) - at
        if size < header:
            break
        boxes.append((kind, data[at + header : at + size]))
        at += size
    return boxes


def _check_svg(data: bytes) -> None:
    roots: list[str] = []

    def note_element(name: str, _attributes: dict[str, str]) -> None:
        if not roots:
            roots.append(name)

    def refuse_entity(*_declaration: object) -> None:
        raise _unsupported("SVG with entities")  # no billion laughs

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = note_element
    parser.EntityDeclHandler = refuse_entity
    parser.Parse(data, True)
    if roots[0].rpartition(" ")[2] != "svg":
        raise _unsupported("XML, but not SVG")


def _average_colour(image: ImageFile.ImageFile) -> Colour:
    image.draft("RGB", (512, 512))  # JPEG only: decodes at a fraction of its size
    red, green, blue = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).tobytes()
    return name_colour(red, green, blue)


def name_colour(red: int, green: int, blue: int) -> Colour:
    """The common name of a colour whose parts are 0 to 255."""
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.2:
        return "black"
    if saturation < 0.2:
        return "white" if value > 0.85 else "grey"
    return next(name for edge, name in _HUES if hue * 360 <= edge)


def _too_large(why: str) -> ServiceError:
    return ServiceError(406, f"the image is too large: {why}")


def _unsupported(why: str) -> ServiceError:
    return ServiceError(407, f"the image format is not supported: {why}")
