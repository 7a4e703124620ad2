from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from consumer.images.formats import format_of
from consumer.images.frames import MOST_FRAMES, chosen, frames_in
from consumer.vendor_facts.images import JUDGED, LIMITS, judged_picture
from tests.rig.pictures import picture
from tests.rig.speed import is_quick

FORMATS = ("png", "gif", "webp", "jpeg", "ico", "tiff", "heif", "bmp", "svg")


def animated(image_format: str, frames: int, **options: Any) -> bytes:
    """An image of so many frames, each of another colour."""
    made = [Image.new("RGB", (16, 16), (number * 5 % 256, 0, number % 256)) for number in range(frames)]
    file = BytesIO()
    made[0].save(file, image_format, save_all=True, append_images=made[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
@pytest.mark.parametrize(("image_format", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {}), ("TIFF", {})])
def test_frames_are_counted(image_format: str, options: dict[str, Any], frames: int) -> None:
    """
    Of what Pillow writes, as many as it was given.
    """
    data = animated(image_format, frames, **options)

    assert frames_in(data, format_of(data) or "") == frames


def test_a_png_with_a_picture_of_its_own_beside_its_animation_has_one_more() -> None:
    """
    Viewers without animation show that one, others the frames.
    """
    data = animated("PNG", 3, default_image=True)

    assert frames_in(data, "png") == 3  # the picture, and two frames


@pytest.mark.parametrize("image_format", ["JPEG", "BMP", "PNG", "GIF", "WEBP", "TIFF"])
def test_a_photograph_has_one(image_format: str) -> None:
    """
    Whatever its format.
    """
    data = picture("red", image_format, (16, 16))

    assert frames_in(data, format_of(data) or "") == 1


def test_an_icon_has_as_many_as_it_has_sizes() -> None:
    """
    The provider judges the last one.
    """
    file = BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "ICO", sizes=[(16, 16), (32, 32), (64, 64)])

    assert frames_in(file.getvalue(), "ico") == 3


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (animated("MPO", 2), "jpeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (animated("GIF", 3)[:-40], "gif"),
        (animated("PNG", 3)[:-8], "png"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00msf1mif1", "heif"),
        (b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00", "tiff"),  # a directory that is its own successor
        (animated("WEBP", 3)[:-10], "webp"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + bytes(9) + b"ANMF" + bytes(4) + bytes(8) * 100_000
         + b"ANMF" + bytes(4), "webp"),
        (b"\xff\xd8\xff\xe1\xff\xff" + bytes(65_533) + b"\xff\xe2\x00\x06MPF\x00", "jpeg"),
        (b"\x00\x00\x01\x54ftypheic" + bytes(4) + b"mif1" * 80 + b"msf1", "heif"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_guessed(data: bytes, name: str) -> None:
    """
    More pictures behind the first, animations by script, what is damaged: never one.
    """
    assert frames_in(data, name) is None


def test_no_more_than_a_thousand_are_counted() -> None:
    """
    Beyond that there are too many, however many.
    """
    picture_of_gif = b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
    head = b"GIF89a\x01\x00\x01\x00\x00\x00\x00"

    assert frames_in(head + picture_of_gif * MOST_FRAMES + b";", "gif") == MOST_FRAMES
    assert frames_in(head + picture_of_gif * (MOST_FRAMES + 1) + b";", "gif") is None


@given(st.binary(max_size=300), st.sampled_from(FORMATS))
def test_any_bytes_are_read(data: bytes, name: str) -> None:
    """
    Nothing escapes; what is counted is at least one.
    """
    found = frames_in(data, name)

    assert found is None or 1 <= found <= MOST_FRAMES


@given(st.sampled_from([animated(each, 3) for each in ("GIF", "PNG", "WEBP", "TIFF")]), st.data())
def test_damaged_images_are_read(image: bytes, data: st.DataObject) -> None:
    """
    With any byte changed.
    """
    at = data.draw(st.integers(0, len(image) - 1))
    damaged = image[:at] + bytes([data.draw(st.integers(0, 255))]) + image[at + 1 :]

    for name in FORMATS:
        frames_in(damaged, name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("fill", [b"\x01\x00", b"\x00", b"\x21\xff\x01\x00\x00", b",\x00", b"\x00\x00\x00\x00IDAT"])
def test_no_image_makes_work_for_long(name: str, fill: bytes) -> None:
    """
    20 MB of anything behind a plain beginning.
    """
    begins = {
        "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00!\xff", "png": b"\x89PNG\r\n\x1a\n",
        "tiff": b"II*\x00\x08\x00\x00\x00",
        "webp": b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + bytes(9),
    }  # fmt: skip

    def data(size: int) -> bytes:
        return (begins.get(name, b"") + fill * (size // len(fill) + 1))[:size]

    assert is_quick(lambda each: frames_in(each, name), data, 0.5, 20_000_000)


def test_where_one_picture_is_looked_at_it_is_the_one_that_the_provider_judges() -> None:
    """
    Of an icon the last, of a GIF the first, as the provider's page says; of others the first is taken to be.
    """
    assert [judged_picture(name, 5) for name in ("ico", "gif", "tiff", "webp")] == [4, 0, 0, 0]
    assert chosen(5, 1, judged=judged_picture("ico", 5)) == (4,)
    assert chosen(5, 1, judged=judged_picture("gif", 5)) == (0,)
    assert chosen(5, 3, judged=4) == (0, 2, 4)
    assert JUDGED.keys() <= LIMITS.formats
