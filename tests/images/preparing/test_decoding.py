"""What is made of files: which frames, in which format, how large, and what is refused."""

import random
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from consumer.images.formats import format_of, problem_of
from consumer.images.preparing import NotPrepared, Prepared
from consumer.images.preparing.decoding import prepared
from tests.images.preparing.files import COLOURS, animated, colour, job, written
from tests.rig.pictures import psd

RGB = {"red": (1, 0, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "black": (0, 0, 0), "lime": (0, 1, 0)}


def made(data: bytes, **changes: Any) -> Prepared:
    return prepared(data, job(format_of(data) or "", **changes))


def code_of(data: bytes, **changes: Any) -> str:
    with pytest.raises(NotPrepared) as refused:
        made(data, **changes)
    return refused.value.code


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), random.Random(7).randbytes(width * height * 3))


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_frames_are_taken_from_the_first_to_the_last(image_format: str) -> None:
    """
    Spread evenly; each is a picture that the provider takes, and knows which frame it was.
    """
    found = made(animated(image_format, COLOURS), frames=3)

    assert (found.frames, found.scaled) == (8, False)
    assert [picture.frame for picture in found.pictures] == [0, 3, 7]
    assert [colour(picture.data) for picture in found.pictures] == [RGB["red"], RGB["yellow"], RGB["black"]]
    assert [problem_of(picture.data) for picture in found.pictures] == [None] * 3
    assert [format_of(picture.data) for picture in found.pictures] == [each.format_name for each in found.pictures]


def test_the_pictures_behind_a_photograph_are_taken_too() -> None:
    """
    Cameras write several pictures into one JPEG (MPO).
    """
    found = made(animated("MPO", ("red", "blue")), frames=8)

    assert found.frames == 2
    assert [colour(picture.data) for picture in found.pictures] == [RGB["red"], RGB["blue"]]


def test_a_frame_is_what_a_viewer_shows() -> None:
    """
    Of an animation whose frames hold only what has changed, the whole picture.
    """
    first, second = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "red")
    second.paste("blue", (0, 0, 4, 4))
    data = written(first, "GIF", save_all=True, append_images=[second])

    _, last = made(data, frames=2).pictures

    assert colour(last.data) == RGB["red"]


def test_an_icons_pictures_are_numbered_as_they_stand_in_the_file() -> None:
    """
    Where one is wanted it is the last, which the provider would judge.
    """
    data = written(Image.new("RGB", (64, 64), "red"), "ICO", sizes=[(16, 16), (32, 32), (64, 64)])

    sizes = [Image.open(BytesIO(picture.data)).size for picture in made(data, frames=3).pictures]
    [one] = made(data).pictures

    assert sizes == [(16, 16), (32, 32), (64, 64)]
    assert one.frame == 2
    assert Image.open(BytesIO(one.data)).size == (64, 64)


def test_more_frames_than_are_counted_are_not_known() -> None:
    """
    Those that are looked at are spread over the first thousand.
    """
    whole = animated("GIF", ("red", "blue"), (2, 2))
    frame = whole[whole.rindex(b"\x21\xf9\x04") : -1]
    data = whole[:-1] + frame * 1_100 + b";"

    found = made(data, frames=3)

    assert found.frames is None
    assert [picture.frame for picture in found.pictures] == [0, 499, 999]


def test_an_animation_without_its_end_is_counted_by_what_is_there() -> None:
    """
    Viewers show such ones; whatever frame is not whole is not passed over.
    """
    whole = animated("GIF", COLOURS)

    assert made(whole[:-1], frames=2).frames == 8
    assert code_of(whole[:-20], frames=8) == "undecodable"


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "GIF"])
def test_nothing_is_made_of_a_file_that_has_one_picture(image_format: str) -> None:
    """
    It is uploaded byte for byte, where it can be.
    """
    data = written(Image.new("RGB", (32, 32), "red"), image_format)

    assert made(data, frames=8, as_it_is=True).pictures == ()
    assert len(made(data, frames=8).pictures) == 1


@pytest.mark.parametrize(
    ("mode", "value", "image_format"),
    [
        ("RGB", (255, 0, 0), "AVIF"),
        ("RGB", (255, 0, 0), "JPEG2000"),
        ("CMYK", (0, 255, 255, 0), "TIFF"),
        ("P", 0, "PNG"),
        ("1", 0, "TIFF"),
        ("L", 10, "PNG"),
        ("LA", (10, 255), "PNG"),
        ("RGBA", (255, 0, 0, 128), "PNG"),
        ("I;16", 10_000, "PNG"),
        ("I", 10_000, "TIFF"),
        ("F", 0.5, "TIFF"),
    ],
)
def test_pictures_are_written_as_jpeg_or_png(mode: str, value: Any, image_format: str) -> None:
    """
    Whatever their pixels are. Those of 16 bits keep their upper ones: cut off, they would all be white.
    """
    [picture] = made(written(Image.new(mode, (32, 32), value), image_format)).pictures

    assert problem_of(picture.data) is None
    assert colour(picture.data) == ((1, 0, 0) if mode in ("RGB", "CMYK", "RGBA") else (0, 0, 0))
    assert picture.format_name == ("png" if mode == "RGBA" else "jpeg")


def test_a_photograph_stands_upright() -> None:
    """
    As viewers show it, and the provider would see the file.
    """
    wide = Image.new("RGB", (40, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6

    [picture] = made(written(wide, "JPEG", exif=exif)).pictures

    assert Image.open(BytesIO(picture.data)).size == (20, 40)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"most_bytes": 20_000}, "too_large"),
        ({"most_side": 100}, "side_too_long"),
        ({"most_pixels": 10_000}, "too_many_pixels"),
    ],
)
def test_what_is_too_large_is_made_smaller_only_where_it_may_be(changes: dict[str, int], code: str) -> None:
    """
    It is within the bounds then, and said to be scaled.
    """
    data = written(noise(200, 150), "PNG")

    assert code_of(data, **changes) == code
    found = made(data, scales=True, **changes)
    [picture] = found.pictures
    width, height = Image.open(BytesIO(picture.data)).size
    assert found.scaled
    assert len(picture.data) <= changes.get("most_bytes", 1_000_000)
    assert max(width, height) <= changes.get("most_side", 199)
    assert width * height <= changes.get("most_pixels", 30_000)
    assert width / height == pytest.approx(200 / 150, rel=0.05)


def test_what_is_written_with_fewer_bytes_is_not_scaled() -> None:
    """
    It has all of its pixels.
    """
    data = written(noise(200, 150), "BMP")

    assert not made(data, scales=True, most_bytes=len(data) - 1).scaled


def test_frames_of_one_file_share_its_bound() -> None:
    """
    So that memory does not grow with their number.
    """
    frames = [noise(64, 64), noise(63, 64).resize((64, 64)), noise(62, 64).resize((64, 64))]
    data = written(frames[0], "TIFF", save_all=True, append_images=frames[1:])

    assert code_of(data, frames=3, most_prepared=10_000) == "too_large"
    found = made(data, frames=3, scales=True, most_prepared=10_000)
    assert len(found.pictures) == 3
    assert sum(len(picture.data) for picture in found.pictures) <= 10_000


@pytest.mark.parametrize("image_format", ["PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"])
def test_a_pixel_bomb_is_not_decoded(image_format: str) -> None:
    """
    Its headers say how many there are; that it may be made smaller does not help.
    """
    data = written(Image.new("RGB", (120, 120)), image_format)

    assert code_of(data, most_decoded=14_399, scales=True) == "too_many_pixels"
    assert made(data, most_decoded=14_400).pictures


def test_of_a_large_jpeg_a_part_is_decoded() -> None:
    """
    An eighth of its sides at the least.
    """
    data = written(Image.new("RGB", (800, 600), "red"), "JPEG")

    found = made(data, most_decoded=8_000, scales=True)

    assert found.scaled
    assert Image.open(BytesIO(found.pictures[0].data)).size == (100, 75)
    assert code_of(data, most_decoded=8_000) == "too_many_pixels"
    assert code_of(data, most_decoded=7_000, scales=True) == "too_many_pixels"


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "AVIF", "JPEG2000", "BMP"])
def test_what_is_cut_off_is_refused(image_format: str) -> None:
    """
    The part that is missing would not have been looked at.
    """
    data = written(noise(64, 64), image_format)

    assert code_of(data[: len(data) * 2 // 3]) == "undecodable"


def test_a_layered_image_is_looked_at_as_a_whole() -> None:
    """
    How many layers it has is not counted: nobody sees them.
    """
    found = made(psd(b"\xff" * 64, bytes(64), bytes(64), size=(8, 8)))

    assert found.frames is None
    assert colour(found.pictures[0].data) == RGB["red"]


def test_what_one_frame_leaves_is_for_those_behind_it() -> None:
    """
    An animation with one busy frame is not refused for it; and none is made smaller that fits less finely written.
    """
    plain, busy = Image.new("RGB", (64, 64), "red"), noise(64, 64)
    data = written(plain, "TIFF", save_all=True, append_images=[plain, busy])
    sizes = [len(each.data) for each in made(data, frames=3).pictures]

    found = made(data, frames=3, most_prepared=sum(sizes))
    coarser = made(data, frames=3, most_prepared=sum(sizes) - sizes[2] // 4)

    assert [len(each.data) for each in found.pictures] == sizes
    assert sizes[2] > sum(sizes) // 3
    assert len(coarser.pictures[2].data) < sizes[2]
    assert not coarser.scaled
