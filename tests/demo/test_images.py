"""The demo's image files and the server they are on."""

from functools import cache
from io import BytesIO

import aiohttp
import pytest
from PIL import Image, ImageSequence
from yarl import URL

from consumer.demo.image_server import serving_images
from consumer.demo.images import ANIMATED, draw_images
from consumer.emulator.errors import ServiceError
from consumer.emulator.images import look


def test_files_are_what_their_names_say() -> None:
    """
    Each file is of its name's format, and the emulated provider sees its name's colour.
    """
    formats = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF"}
    files = {name: content for name, content in draw_images().items() if name not in ("corrupt.jpg", "animated.gif")}

    for name, content in files.items():
        colour, _, ending = name.partition(".")
        with Image.open(BytesIO(content)) as image:
            assert image.format == formats[ending]
        assert look(content, "").average_colour == colour


def test_the_gif_moves() -> None:
    """
    The animation has several frames.
    """
    with Image.open(BytesIO(draw_images()["green.gif"])) as image:
        frames = getattr(image, "n_frames", 1)

    assert frames > 1


def test_of_the_animation_only_the_third_frame_is_to_be_blocked() -> None:
    """
    Five frames, of which the provider sees nothing in the first, and all of it in the third.
    """
    content = draw_images()["animated.gif"]
    colours = [look(frame, "").average_colour for frame in frames_of(content)]

    assert look(content, "").average_colour == "green"
    assert tuple(colours) == ANIMATED == ("green", "blue", "red", "blue", "green")


@cache
def frames_of(content: bytes) -> list[bytes]:
    """Each frame as a file."""
    files = []
    with Image.open(BytesIO(content)) as image:
        for frame in ImageSequence.Iterator(image):
            frame.convert("RGB").save(file := BytesIO(), "PNG")
            files.append(file.getvalue())
    return files


def test_the_corrupt_file_is_refused() -> None:
    """
    The provider would refuse the corrupt file as no image, though it begins like one.
    """
    content = draw_images()["corrupt.jpg"]

    with pytest.raises(ServiceError) as refused:
        look(content, "")

    assert refused.value.code == 407
    assert content.startswith(b"\xff\xd8\xff")


async def test_files_are_served_by_path_or_by_name_in_any_folder() -> None:
    """
    Objects have paths with all that is awkward in keys, uploads folders of their own; what is no file is not found.
    """
    files = {"red.png": b"red", "ugc/50% off/a+b.jpg": b"object"}
    async with serving_images(files) as url, aiohttp.ClientSession() as http:
        async with http.get(f"{url}/uploads/17/red.png") as found:
            content = (found.status, await found.read())
        async with http.get(URL(f"{url}/ugc/50%25%20off/a+b.jpg", encoded=True)) as stored:
            of_object = (stored.status, await stored.read())
        async with http.get(f"{url}/elsewhere/a+b.jpg") as missing:
            status = missing.status

    assert content == (200, b"red")
    assert of_object == (200, b"object")
    assert status == 404
