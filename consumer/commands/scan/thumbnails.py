"""
Small pictures of what was fetched, kept in a temporary file until the page is written.

Bytes come from strangers: Pillow is given only the format that they begin like, among those that it reads by itself
(it has an EPS run by Ghostscript), and no more pixels than fit into memory.
"""

import base64
import contextlib
import tempfile
import threading
import warnings
from io import BytesIO

from consumer.images.formats import SNIFFED, format_of
from consumer.images.sizes import Size, size_of

SIDE = 256  # pixels
QUALITY = 70
MOST_PIXELS = 40_000_000  # of four bytes each once they are unpacked
MOST_OF_JPEG = 64_000_000  # pixels: a JPEG is unpacked at an eighth of its size
MOST_WHOLE = 200_000  # bytes of an image that is shown as it is
MOST_KEPT = 256_000_000
"""Bytes of the temporary file. Of what is fetched after that there is no picture."""
_DRAWN = {
    "png": "PNG", "jpeg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tiff": "TIFF", "ico": "ICO",
}  # fmt: skip
"""The formats of Pillow's that are drawn."""
_SHOWN_WHOLE = {
    "png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "bmp": "image/bmp",
    "ico": "image/x-icon", "svg": "image/svg+xml",
}  # fmt: skip


class Thumbnails:
    """Pictures by the source of their image."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        """`OSError` escapes where there is no room for temporary files."""
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of strangers' images it warns on the terminal
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 — see `close`
        self._most_kept = most_kept
        self._end = 0
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def add(self, source: str, image: bytes) -> None:
        """
        Keep a picture of an image; nothing where none can be made. To be called in a thread of its own.

        `OSError` escapes where there is no room for it.
        """
        uri = data_uri(image).encode()
        with self._lock:
            if self._end + len(uri) > self._most_kept:
                return
            self._file.seek(self._end)
            left = memoryview(uri)
            while left:
                left = left[self._file.write(left) :]
            self._places[source] = self._end, len(uri)
            self._end += len(uri)

    def find(self, source: str) -> str | None:
        """
        Return a picture as a `data:` URI, empty where none can be made; None where none was kept. `OSError` escapes.
        """
        with self._lock:
            if (place := self._places.get(source)) is None:
                return None
            self._file.seek(place[0])
            return self._file.read(place[1]).decode()

    def close(self) -> None:
        """Forget all pictures."""
        with contextlib.suppress(OSError):
            self._file.close()


def data_uri(image: bytes) -> str:
    """A JPEG of 256 pixels at the most, or else a small image as it is; empty where there is neither."""
    name = format_of(image[:SNIFFED])
    if name is None or _is_too_large(size_of(image, name), name):
        return ""
    small = _small(image, name)
    if small is not None:
        return _uri("image/jpeg", small)
    media_type = _SHOWN_WHOLE.get(name)
    return _uri(media_type, image) if media_type and len(image) <= MOST_WHOLE else ""


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _is_too_large(size: Size | None, name: str) -> bool:
    """Whether it is so for us, and for the browser."""
    return size is not None and size[0] * size[1] > (MOST_OF_JPEG if name == "jpeg" else MOST_PIXELS)


def _small(data: bytes, name: str) -> bytes | None:
    """None where Pillow is not installed, does not read the format by itself, or cannot read the image."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return None
    if name not in _DRAWN:
        return None
    Image.MAX_IMAGE_PIXELS = MOST_OF_JPEG // 2  # twice as many are an error: of an image in an ICO as well
    try:
        with Image.open(BytesIO(data), formats=[_DRAWN[name]]) as image:
            image.draft("RGB", (SIDE, SIDE))
            if image.width * image.height > MOST_PIXELS:
                return None
            image.load()
            plain = image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGBA")
            plain.thumbnail((SIDE, SIDE))
            upright = ImageOps.exif_transpose(plain).convert("RGBA")
    except Exception:  # noqa: BLE001 — of strangers' bytes anything may be raised
        return None
    page = Image.new("RGB", upright.size, "white")
    page.paste(upright, mask=upright)
    file = BytesIO()
    page.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
