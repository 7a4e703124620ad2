"""
Which images are similar: those of the same shapes and colours, and what is the same byte by byte.
"""

import sys

import pytest
from PIL import Image

from consumer.emulator.scan.likeness import Print, Prints
from tests.emulator.scan.drawing import drawing, file_of
from tests.rig.pictures import picture


def are_similar(one: bytes, another: bytes) -> bool:
    prints = Prints()
    return prints.of(one).is_like(prints.of(another))


@pytest.mark.parametrize(
    ("other", "similar"),
    [
        (drawing(1), True),
        (drawing(1).resize((640, 480)), True),
        (drawing(1).resize((100, 100)), True),
        (drawing(1).rotate(90), False),
        (drawing(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT), False),
        (drawing(2), False),
    ],
    ids=["same", "larger", "smaller", "turned", "mirrored", "another"],
)
def test_another_size_or_quality_is_similar_and_another_picture_is_not(other: Image.Image, similar: bool) -> None:
    """
    Whatever the format.
    """
    shown = file_of(drawing(1), "PNG")

    assert are_similar(shown, file_of(other, quality=60)) is similar


def test_colours_are_told_apart() -> None:
    """
    Images of one colour have no shapes to go by.
    """
    assert are_similar(picture("red"), picture("red", "JPEG", (100, 100)))
    assert not are_similar(picture("red"), picture("blue"))
    assert not are_similar(picture("black"), picture("white"))


def test_what_is_no_image_is_only_like_itself() -> None:
    """
    Nothing is raised.
    """
    assert are_similar(b"no image", b"no image")
    assert not are_similar(b"no image", b"another")
    assert not are_similar(b"no image", picture())
    assert not are_similar(picture()[:100], picture())


def test_without_imagehash_only_the_same_bytes_are_similar(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The emulator runs without its extra.
    """
    monkeypatch.setitem(sys.modules, "imagehash", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert are_similar(picture("red"), picture("red"))
    assert not are_similar(picture("red"), picture("red", "JPEG"))


def test_only_the_last_prints_are_remembered() -> None:
    """
    Memory is bounded.
    """
    prints = Prints(capacity=2)
    for each in (b"1", b"2", b"3", b"3"):
        prints.of(each)

    assert len(prints) == 2


def test_ten_bits_of_sixty_four_may_differ() -> None:
    """
    Eleven are another picture.
    """
    shown = Print("a", 0, (100, 100, 100))

    assert shown.is_like(Print("b", 2**10 - 1, (124, 100, 76)))
    assert not shown.is_like(Print("b", 2**11 - 1, (100, 100, 100)))
    assert not shown.is_like(Print("b", 0, (125, 100, 100)))
