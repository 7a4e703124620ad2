"""
Which images are like one another. Needs imagehash, of the extra `emulator`; without it only the same bytes are.

Assumed: the vendor says of feedback that it holds for similar images, and not what similar is. Here it is a perceptual
hash (imagehash's phash) that differs in at most `MOST_BITS` of 64 bits, and an average colour that differs by at most
`MOST_COLOUR` in each part: that hash sees shapes alone, and all images of one colour have the same.
"""

import hashlib
import importlib.util
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image

from consumer.emulator.images import MAX_DECODED_PIXELS, open_image

MOST_BITS: Final = 10
MOST_COLOUR: Final = 24
NEEDED: Final = "imagehash is not installed: pip install 'moderation-consumer[emulator]'"


def is_available() -> bool:
    """Whether similar images can be found."""
    return importlib.util.find_spec("imagehash") is not None


@dataclass(frozen=True, slots=True)
class Print:
    """What is compared. `bits` (64) and `colour` (0 to 255 each) are None where they could not be computed."""

    sha256: str
    bits: int | None = None
    colour: tuple[int, int, int] | None = None

    def is_like(self, other: "Print") -> bool:
        """Whether two images are similar, or the same."""
        if self.sha256 == other.sha256:
            return True
        if self.bits is None or other.bits is None or self.colour is None or other.colour is None:
            return False
        apart = max(abs(one - another) for one, another in zip(self.colour, other.colour, strict=True))
        return (self.bits ^ other.bits).bit_count() <= MOST_BITS and apart <= MOST_COLOUR


@dataclass(slots=True)
class Prints:
    """The prints of the last images. Safe to use from several threads."""

    capacity: int = 4096
    _known: OrderedDict[str, Print] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def of(self, data: bytes) -> Print:
        """The print of an image. What is no image is only like itself."""
        sha256 = hashlib.sha256(data).hexdigest()
        with self._lock:
            known = self._known.get(sha256)
        if known is None:
            known = _print(data, sha256)
            with self._lock:
                self._known[sha256] = known
                if len(self._known) > self.capacity:
                    self._known.popitem(last=False)
        return known


def _print(data: bytes, sha256: str) -> Print:
    if not is_available():
        return Print(sha256)
    import imagehash

    try:
        with open_image(data) as image:
            if image.width * image.height > MAX_DECODED_PIXELS:
                return Print(sha256)
            flat = image.convert("RGB")
    except Exception:  # noqa: BLE001 Pillow 13's decoders raise whatever the broken bytes lead them to.
        return Print(sha256)
    hashed: Any = imagehash.phash(flat)
    red, green, blue = flat.resize((1, 1), Image.Resampling.BOX).tobytes()
    return Print(sha256, int(str(hashed), 16), (red, green, blue))
