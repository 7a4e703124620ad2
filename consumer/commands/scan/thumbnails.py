"""Small pictures of what was fetched, kept in a temporary file until the page is written."""

import base64
import tempfile
import threading
from io import BytesIO

from consumer.images.formats import SNIFFED, format_of

SIDE = 256  # pixels
QUALITY = 70
MOST_PIXELS = 60_000_000  # that are unpacked, of four bytes each
MOST_WHOLE = 200_000  # bytes of an image that is shown as it is
_SHOWN_WHOLE = {
    "png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "bmp": "image/bmp",
    "ico": "image/x-icon", "svg": "image/svg+xml",
}  # fmt: skip


class Thumbnails:
    """Pictures by the source of their image."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 — see `close`
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def add(self, source: str, image: bytes) -> None:
        """Keep a picture of an image; nothing where none can be made. To be called in a thread of its own."""
        uri = data_uri(image).encode()
        with self._lock:
            self._file.seek(0, 2)
            self._places[source] = self._file.tell(), len(uri)
            self._file.write(uri)

    def find(self, source: str) -> str | None:
        """Return a picture as a `data:` URI, empty where none can be made; None where the image was not seen."""
        with self._lock:
            if (place := self._places.get(source)) is None:
                return None
            self._file.seek(place[0])
            return self._file.read(place[1]).decode()

    def close(self) -> None:
        """Forget all pictures."""
        self._file.close()


def data_uri(image: bytes) -> str:
    """A JPEG of 256 pixels at the most, or else a small image as it is; empty where there is neither."""
    small = _small(image)
    if small is not None:
        return _uri("image/jpeg", small)
    media_type = _SHOWN_WHOLE.get(format_of(image[:SNIFFED]) or "")
    return _uri(media_type, image) if media_type and len(image) <= MOST_WHOLE else ""


def _uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _small(data: bytes) -> bytes | None:
    """None where Pillow is not installed, or cannot read the image."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return None
    try:
        with Image.open(BytesIO(data)) as image:
            image.draft("RGB", (SIDE, SIDE))
            if image.width * image.height > MOST_PIXELS:
                return None
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except Exception:  # noqa: BLE001 — of strangers' bytes anything may be raised
        return None
    upright.thumbnail((SIDE, SIDE))
    page = Image.new("RGB", upright.size, "white")
    page.paste(upright, mask=upright)
    file = BytesIO()
    page.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
