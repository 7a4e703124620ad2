"""Pictures with shapes, as photographs have them: a perceptual hash of a smooth one is noise."""

import random
from io import BytesIO

from PIL import Image, ImageDraw


def drawing(seed: int) -> Image.Image:
    """Rectangles in muted colours, other ones for each seed."""
    dice = random.Random(seed)
    image = Image.new("RGB", (320, 320), "grey")
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = dice.randrange(280), dice.randrange(280)
        colour = tuple(dice.randrange(60, 200) for _ in range(3))
        pen.rectangle((left, top, left + dice.randrange(40, 160), top + dice.randrange(40, 160)), fill=colour)
    return image


def file_of(image: Image.Image, image_format: str = "JPEG", quality: int = 90) -> bytes:
    """An image file."""
    file = BytesIO()
    image.save(file, image_format, quality=quality)
    return file.getvalue()
