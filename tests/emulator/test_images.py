"""
What the emulator sees of an image, and which images it refuses.
"""

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from consumer.emulator.errors import ServiceError
from consumer.emulator.images import MAX_BYTES, Gallery, Picture, name_colour
from tests.rig.pictures import picture


def see(data: bytes) -> Picture:
    return Gallery().look(data)


def code_of(data: bytes) -> int:
    with pytest.raises(ServiceError) as caught:
        see(data)
    return caught.value.code


def see_or_refuse(data: bytes) -> Picture | int:
    try:
        return see(data)
    except ServiceError as refusal:
        return refusal.code


def png_head(width: int, height: int) -> bytes:
    """A PNG that ends behind its header and the start of its data: nothing to decode, whatever it claims to be."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heif(width: int, height: int, brand: bytes = b"heic") -> bytes:
    """The boxes of a HEIF file that say how large it is."""
    size = box(b"ispe", b"\0\0\0\0" + struct.pack(">II", width, height))
    thumbnail = box(b"ispe", b"\0\0\0\0" + struct.pack(">II", 160, 120))
    meta = box(b"meta", b"\0\0\0\0" + box(b"hdlr", b"\0" * 24) + box(b"iprp", box(b"ipco", thumbnail + size)))
    return box(b"ftyp", brand + b"\0\0\0\0mif1") + meta + box(b"mdat", b"\0" * 64)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "ICO"])
def test_every_raster_format_of_the_provider_is_looked_at(image_format: str) -> None:
    """
    An image in any raster format that the provider supports is read: its size and the name of its average colour.
    """
    seen = see(picture("red", image_format, (128, 128)))

    assert (seen.width, seen.height, seen.average_colour) == (128, 128, "red")


@pytest.mark.parametrize("image_format", ["PPM", "TGA", "JPEG2000", "AVIF", "PCX"])
def test_other_formats_are_refused_though_pillow_can_read_them(image_format: str) -> None:
    """
    A format that the provider does not list is Code 407.
    """
    assert code_of(picture("red", image_format)) == 407


def test_of_an_animation_the_first_frame_counts() -> None:
    """
    A GIF is judged by its first frame.
    """
    file = BytesIO()
    Image.new("RGB", (64, 64), "red").save(
        file, "GIF", save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")], duration=100
    )

    assert see(file.getvalue()).average_colour == "red"


@pytest.mark.parametrize("bitmap_format", ["bmp", "png"])
def test_of_an_icon_file_the_last_image_counts(bitmap_format: str) -> None:
    """
    An ICO file is judged by the image that stands last in it, whatever the sizes.
    """
    file = BytesIO()
    Image.new("RGB", (64, 64), "green").save(
        file,
        "ICO",
        sizes=[(64, 64), (32, 32)],
        append_images=[Image.new("RGB", (32, 32), "blue")],
        bitmap_format=bitmap_format,
    )

    seen = see(file.getvalue())

    last = "blue" if last_icon_side(file.getvalue()) == 32 else "green"
    assert (seen.width, seen.average_colour) == (last_icon_side(file.getvalue()), last)


def last_icon_side(data: bytes) -> int:
    (count,) = struct.unpack_from("<H", data, 4)
    return int(data[6 + 16 * (count - 1)])


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_truncated_image_is_refused(image_format: str) -> None:
    """
    A file that ends in the middle has a valid header and is Code 407 all the same.
    """
    noise = BytesIO()
    Image.effect_noise((200, 200), 80).convert("RGB").save(noise, image_format)

    assert code_of(noise.getvalue()[: len(noise.getvalue()) // 2]) == 407


@given(st.binary(max_size=200))
def test_no_bytes_lead_to_anything_but_a_refusal(data: bytes) -> None:
    """
    Whatever is sent instead of an image, the answer is Code 407.
    """
    assert code_of(data) == 407


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "ICO"]), st.data())
def test_a_damaged_image_is_seen_or_refused(image_format: str, data: st.DataObject) -> None:
    """
    An image with some bytes changed is either still an image or refused with a code of the provider's.
    """
    damaged = bytearray(picture("red", image_format, (16, 16)))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    seen = see_or_refuse(bytes(damaged))

    assert seen in (406, 407) or isinstance(seen, Picture)


@pytest.mark.parametrize(
    ("width", "height"), [(16_385, 10), (10, 16_385), (16_384, 16_384), (12_924, 12_922), (2**31 - 1, 2**31 - 1)]
)
def test_a_size_is_judged_by_the_header(width: int, height: int) -> None:
    """
    More than 16,384 px a side, or more than 167 million in all, is Code 406 without a pixel decoded.
    """
    assert code_of(png_head(width, height)) == 406


def test_the_largest_allowed_size_is_not_decoded() -> None:
    """
    An image of nearly 167 million pixels passes on its header; its colour stays unknown.
    """
    seen = see(png_head(16_384, 10_192))

    assert (seen.width, seen.height, seen.average_colour) == (16_384, 10_192, None)


def test_a_file_over_twenty_megabytes_is_too_large() -> None:
    """
    More than 20 MB is Code 406, whatever is in them.
    """
    assert code_of(picture() + b"\0" * MAX_BYTES) == 406


def test_heif_is_read_from_its_container() -> None:
    """
    A HEIF image is accepted with the size of its largest item, and without a colour.
    """
    assert see(heif(4032, 3024)) == Picture(see(heif(4032, 3024)).sha256, 4032, 3024, None)


@pytest.mark.parametrize(("width", "height", "code"), [(8192, 100, 406), (100, 8192, 406)])
def test_heif_has_a_lower_limit(width: int, height: int, code: int) -> None:
    """
    A HEIF image's sides must be less than 8,192 px.
    """
    assert see(heif(8191, 8191)).width == 8191
    assert code_of(heif(width, height)) == code


def test_a_video_is_not_heif() -> None:
    """
    A file of the same container family with other brands is Code 407.
    """
    assert code_of(box(b"ftyp", b"isom\0\0\0\0mp42") + box(b"mdat", b"\0" * 64)) == 407


@pytest.mark.parametrize(
    "text",
    [
        '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
        '\ufeff<?xml version="1.0"?>\n<!-- drawn -->\n<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:g/></s:svg>',
    ],
)
def test_svg_is_accepted_as_xml(text: str) -> None:
    """
    Well-formed XML with an svg root is an SVG image.
    """
    assert see(text.encode()).average_colour is None


@pytest.mark.parametrize(
    "text",
    ["<html></html>", "<svg><g></svg>", "<", '<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>'],
)
def test_other_xml_is_refused(text: str) -> None:
    """
    XML that is broken, is something else, or declares entities is Code 407.
    """
    assert code_of(text.encode()) == 407


@pytest.mark.parametrize(
    "colour", ["black", "white", "grey", "red", "orange", "yellow", "green", "cyan", "blue", "purple"]
)
def test_colours_have_their_common_names(colour: str) -> None:
    """
    An image drawn in a named colour has that colour.
    """
    assert see(picture(colour)).average_colour == colour


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_every_colour_has_a_name(red: int, green: int, blue: int) -> None:
    """
    No mixture of red, green and blue is without a name.
    """
    assert name_colour(red, green, blue)


def test_the_gallery_forgets_the_oldest() -> None:
    """
    What is remembered of images is bounded, and an image seen again is the same.
    """
    gallery = Gallery(capacity=2)

    first = gallery.look(picture("red"))
    for colour in ("green", "blue"):
        gallery.look(picture(colour))

    assert gallery.look(picture("red")) == first
    assert len(gallery) == 2
