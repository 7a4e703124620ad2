"""The image files that the demo uploads, drawn on the spot. What is answered about them is `rules.py`'s."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

_COLOURS: Final = {
    "red": (205, 35, 30),
    "orange": (240, 135, 20),
    "yellow": (240, 215, 30),
    "green": (40, 160, 70),
    "blue": (40, 90, 200),
}
_SIDE: Final = 256  # pixels; Vendor: larger than 256 × 256 is advised
_FRAMES: Final = 4

ANIMATED: Final = ("green", "blue", "red", "blue", "green")
"""The frames of animated.gif. Whoever sees the first one alone sees nothing in it."""


def draw_images() -> dict[str, bytes]:
    """Return the files by name."""
    red_jpeg = _file("red", "JPEG")
    return {
        "red.png": _file("red", "PNG"),
        "red.jpg": red_jpeg,
        "orange.jpg": _file("orange", "JPEG"),
        "yellow.jpg": _file("yellow", "JPEG"),
        "blue.webp": _file("blue", "WEBP"),
        "blue.png": _file("blue", "PNG"),
        "green.gif": _animation(["green"] * _FRAMES),
        "animated.gif": _animation(ANIMATED),
        "corrupt.jpg": red_jpeg[: len(red_jpeg) // 2],
    }


def _file(colour: str, image_format: str) -> bytes:
    file = BytesIO()
    _draw(colour).save(file, image_format)
    return file.getvalue()


def _animation(colours: Sequence[str]) -> bytes:
    file = BytesIO()
    first, *others = (_draw(colour, frame) for frame, colour in enumerate(colours))
    first.save(file, "GIF", save_all=True, append_images=others, duration=200, loop=0)
    return file.getvalue()


def _draw(colour: str, frame: int = 0) -> Image.Image:
    """Draw a disc, moved a little with every frame, in a lighter shade of the colour."""
    shade = _COLOURS[colour]
    lighter = tuple(part + (255 - part) // 4 for part in shade)
    image = Image.new("RGB", (_SIDE, _SIDE), shade)
    left = 32 + 24 * frame
    ImageDraw.Draw(image).ellipse((left, 64, left + 96, 160), fill=lighter)
    return image
