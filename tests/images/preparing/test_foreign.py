"""Real files of the formats that need a decoder of their own, by the processes that decode, within all their bounds."""

import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.errors import ImageRefused
from consumer.images.formats import format_of, problem_of
from consumer.images.held import BytesHeld, Room
from consumer.images.preparing import NotPrepared, Picture, Prepared
from consumer.images.preparing.plan import Wanted, is_mended, job_for
from consumer.images.preparing.workers import Bounds, Preparing, Workers
from consumer.images.sizes import size_of
from consumer.locations import StoredObject
from consumer.moderation.fetching import Fetching
from tests.images.preparing.files import COLOURS, animated, job, written
from tests.moderation.requests import context
from tests.rig.pictures import gradient, heif, psd

WANTED = Wanted(frames=3, scales=True, converts=True)
SIZE = (96, 64)
PLAIN = gradient(SIZE)


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    """A worker with the bounds that it has by default."""
    made = Workers(Bounds(at_once=1, seconds=60.0), os.environ)
    yield made
    await made.close()


async def prepared(workers: Workers, data: bytes) -> Prepared:
    """What the service would make of a file where all is wanted."""
    format_name, problem = format_of(data), problem_of(data)
    assert format_name is not None
    assert problem is None or is_mended(problem, format_name, WANTED)
    job = job_for(format_name, problem, None, WANTED)
    assert job is not None
    return await workers.work(data, job)


def shown(data: bytes) -> Image.Image:
    """A picture that was made, which the provider takes."""
    assert problem_of(data) is None
    return Image.open(BytesIO(data))


def distance(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are from each other: the mean of their pixels' difference, of 255."""
    pairs = zip(one.convert("RGB").tobytes(), other.convert("RGB").resize(one.size).tobytes(), strict=True)
    differences = [abs(left - right) for left, right in pairs]
    return sum(differences) / len(differences)


FOREIGN = {
    "heif": lambda: heif(PLAIN, quality=90),
    "avif": lambda: written(PLAIN, "AVIF", quality=90),
    "jp2": lambda: written(PLAIN, "JPEG2000"),
    "psd": lambda: psd(*(plane.tobytes() for plane in PLAIN.split()), size=SIZE),
}


@pytest.mark.parametrize("format_name", FOREIGN)
async def test_real_files_are_decoded_within_the_bounds(workers: Workers, format_name: str) -> None:
    """
    A worker can open no file by then, and has no more address space than that: what a decoder needs it has at hand.
    """
    data = FOREIGN[format_name]()
    assert format_of(data) == format_name

    found = await workers.work(data, job(format_name))

    [picture] = found.pictures
    assert shown(picture.data).size == SIZE
    assert distance(shown(picture.data), PLAIN) < 6
    assert not found.scaled


async def test_frames_of_avif_are_taken_by_a_worker(workers: Workers) -> None:
    """
    Spread over the file, as those of other animations.
    """
    found = await prepared(workers, animated("AVIF", COLOURS))

    assert (found.frames, [picture.frame for picture in found.pictures]) == (8, [0, 3, 7])


async def test_a_heif_that_is_too_long_is_made_into_a_jpeg(workers: Workers) -> None:
    """
    The provider takes 8,191 pixels of HEIF and more of JPEG: no pixel is lost.
    """
    wide = gradient((8_256, 64))
    data = heif(wide, quality=90)
    assert problem_of(data) == "side_too_long"

    found = await prepared(workers, data)

    [picture] = found.pictures
    assert (picture.format_name, found.frames, found.scaled) == ("jpeg", 1, False)
    assert shown(picture.data).size == wide.size
    assert distance(shown(picture.data).resize((64, 64)), wide.resize((64, 64))) < 6


async def test_a_heif_is_made_smaller_where_it_may_be(workers: Workers) -> None:
    """
    One that has more bytes, more pixels and a longer side than are allowed here.
    """
    data = heif(gradient((2_016, 1_512)), quality=90)
    bounds = {"most_side": 1_000, "most_pixels": 500_000, "most_bytes": 40_000}
    assert len(data) > 40_000

    found = await workers.work(data, job("heif", scales=True, **bounds))

    [picture] = found.pictures
    width, height = shown(picture.data).size
    assert found.scaled
    assert width / height == pytest.approx(2_016 / 1_512, rel=0.01)
    assert width * height <= 500_000
    assert len(picture.data) <= 40_000
    with pytest.raises(NotPrepared, match="side_too_long"):
        await workers.work(data, job("heif", **bounds))


async def test_a_heif_stands_upright_and_keeps_what_is_transparent(workers: Workers) -> None:
    """
    Its decoder turns it: it is not turned a second time. What is transparent is written as PNG.
    """
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = gradient((128, 64))
    veiled = wide.convert("RGBA")
    veiled.putalpha(128)

    turned = (await workers.work(heif(wide, quality=90, exif=exif.tobytes()), job("heif"))).pictures[0]
    [transparent] = (await workers.work(heif(veiled, quality=90), job("heif"))).pictures

    assert shown(turned.data).size == (64, 128)
    assert distance(shown(turned.data), wide.transpose(Image.Transpose.ROTATE_270)) < 6
    assert transparent.format_name == "png"
    least, most = shown(transparent.data).getchannel("A").getextrema()
    assert isinstance(least, int)
    assert isinstance(most, int)
    assert 120 < least <= most < 136


@pytest.mark.parametrize("format_name", FOREIGN)
async def test_a_real_file_that_is_cut_off_is_refused(workers: Workers, format_name: str) -> None:
    """
    And its worker goes on.
    """
    data = FOREIGN[format_name]()

    with pytest.raises(NotPrepared, match="undecodable"):
        await workers.work(data[: len(data) * 2 // 3], job(format_name))

    assert (await workers.work(data, job(format_name))).pictures


@pytest_asyncio.fixture
async def without_heif(tmp_path: Path) -> AsyncIterator[Workers]:
    """A worker that does not find the extra `heif`."""
    (tmp_path / "pillow_heif.py").write_text("raise ModuleNotFoundError('pillow_heif')\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    made = Workers(Bounds(at_once=1, seconds=60.0), {**os.environ, "PYTHONPATH": path})
    yield made
    await made.close()


async def test_without_its_extra_heif_has_no_decoder_and_others_do(without_heif: Workers) -> None:
    """
    It is said as such, not as damage; the worker is none the worse for it.
    """
    with pytest.raises(NotPrepared, match="no_decoder"):
        await without_heif.work(FOREIGN["heif"](), job("heif"))

    assert (await without_heif.work(FOREIGN["avif"](), job("avif"))).pictures


async def test_without_its_extra_a_heif_that_may_have_frames_is_uploaded_as_it_is(without_heif: Workers) -> None:
    """
    The provider takes it; how many frames it has is not known, which the policy's `unseen_frames` is for. One that is
    too long for the provider cannot be mended.
    """
    sequence, long = (heif(gradient(size)).replace(b"mif1", b"msf1", 1) for size in ((128, 64), (8_256, 64)))
    held = BytesHeld(100_000_000)
    fetching = Fetching(
        Files({"sequence": sequence, "long": long}), ConcurrencyLimit(1), held, None, WANTED,
        Preparing(without_heif, held),
    )  # fmt: skip

    async with fetching.fetched("sequence", context()) as image:
        assert image.pictures == (Picture(sequence, "heif"),)
        assert (image.frames, image.scaled) == (None, False)
    with pytest.raises(ImageRefused, match="no_decoder"):
        async with fetching.fetched("long", context()):
            raise AssertionError


class Files:
    """Files by name, to be fetched."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        data = self._files[str(source)]
        await room.take(len(data))
        return data


def test_what_an_encoder_writes_is_known_by_its_first_bytes() -> None:
    """
    Its size is that of its whole blocks, of which a viewer crops the last ones: a few pixels more, never fewer.
    """
    whole, cropped = heif(gradient((128, 64))), heif(gradient((123, 45)))

    assert [format_of(each) for each in (whole, cropped)] == ["heif", "heif"]
    assert size_of(whole, "heif") == (128, 64)
    width, height = size_of(cropped, "heif") or (0, 0)
    assert 123 <= width < 123 + 64
    assert 45 <= height < 45 + 64
