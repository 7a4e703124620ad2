"""Images made on the spot."""

from io import BytesIO

from PIL import Image


def picture(colour: str = "red", image_format: str = "PNG", size: tuple[int, int] = (240, 240)) -> bytes:
    """An image file of one colour."""
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, image_format)
    return file.getvalue()
