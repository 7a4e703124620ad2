"""Files to prepare, made on the spot, and jobs about them."""

from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

from consumer.images.preparing import Job
from consumer.vendor_facts.images import LIMITS

COLOURS = ("red", "lime", "blue", "yellow", "magenta", "cyan", "white", "black")


def job(format_name: str, **changes: Any) -> Job:
    """A job within the provider's limits."""
    limits = {"most_pixels": LIMITS.max_pixels, "most_side": LIMITS.max_side, "most_bytes": LIMITS.max_bytes}
    return Job(format_name=format_name, **{**limits, **changes})


def written(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """An image as a file."""
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def animated(image_format: str, colours: tuple[str, ...], size: tuple[int, int] = (32, 32), **options: Any) -> bytes:
    """A file with a picture of each colour."""
    first, *others = (Image.new("RGB", size, colour) for colour in colours)
    return written(first, image_format, save_all=True, append_images=others, **options)


@cache
def endless_gif() -> bytes:
    """A GIF that takes long to decode, without its end, so that its frames can be counted by decoding only."""
    whole = animated("GIF", ("red", "blue"), (2_000, 2_000))
    head, frame = whole[:-1], whole[whole.rindex(b"\x21\xf9\x04") : -1]
    return head + frame * 1_000


def colour(content: bytes) -> tuple[int, ...]:
    """What a picture looks like in its middle, coarsely: of each part whether there is much of it."""
    with Image.open(BytesIO(content)) as image:
        middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(middle, tuple)
    return tuple(int(part > 127) for part in middle)
