"""Which images are uploaded as they are, refused, or prepared first."""

import pytest

from consumer.images.preparing.plan import NOTHING, READ, Wanted, is_mended, job_for
from consumer.vendor_facts.images import LIMITS

SCALED, CONVERTED = Wanted(scales=True), Wanted(converts=True)
BOTH, FRAMES = Wanted(scales=True, converts=True), Wanted(frames=8)
TOO_MUCH = ("too_large", "side_too_long", "too_many_pixels")


@pytest.mark.parametrize("format_name", [*sorted(READ), "svg", "", None])
@pytest.mark.parametrize("problem", [*TOO_MUCH, "format"])
def test_by_default_what_the_provider_would_refuse_goes_to_review(format_name: str | None, problem: str) -> None:
    """
    And so does it where only frames are wanted.
    """
    assert not is_mended(problem, format_name, NOTHING)
    assert not is_mended(problem, format_name, FRAMES)


@pytest.mark.parametrize("problem", TOO_MUCH)
def test_what_is_too_large_is_made_smaller_where_that_is_wanted(problem: str) -> None:
    """
    In formats that the provider takes; foreign ones are converted only where that is wanted too.
    """
    assert is_mended(problem, "png", SCALED)
    assert not is_mended(problem, "png", CONVERTED)
    assert not is_mended(problem, "avif", SCALED)
    assert not is_mended(problem, "avif", CONVERTED)
    assert is_mended(problem, "avif", BOTH)


@pytest.mark.parametrize("format_name", sorted(READ - LIMITS.formats))
def test_foreign_formats_are_converted_where_that_is_wanted(format_name: str) -> None:
    """
    AVIF, JPEG 2000 and PSD.
    """
    assert is_mended("format", format_name, CONVERTED)
    assert not is_mended("format", format_name, SCALED)


@pytest.mark.parametrize("format_name", ["svg", "", None])
@pytest.mark.parametrize("problem", [*TOO_MUCH, "format"])
def test_svg_and_what_is_no_image_are_never_decoded(format_name: str | None, problem: str) -> None:
    """
    Whatever is wanted.
    """
    wanted = Wanted(frames=64, scales=True, converts=True)

    assert not is_mended(problem, format_name, wanted)
    assert job_for(format_name or "", None, None, wanted) is None


@pytest.mark.parametrize("frames", [None, 1, 2, 1_000])
def test_what_the_provider_takes_is_uploaded_as_it_is(frames: int | None) -> None:
    """
    Unless more of its frames are wanted: neither scaling nor converting is for it.
    """
    assert job_for("gif", None, frames, BOTH) is None


def test_only_a_file_that_may_have_more_than_one_picture_has_its_frames_taken() -> None:
    """
    One whose frames cannot be told by its headers may.
    """
    assert job_for("gif", None, 1, FRAMES) is None
    for frames in (None, 2):
        job = job_for("gif", None, frames, FRAMES)
        assert job is not None
        assert (job.frames, job.as_it_is, job.scales) == (8, True, False)


def test_a_job_has_the_bounds_of_the_provider() -> None:
    """
    What is made of an image must be what it takes.
    """
    job = job_for("png", "too_large", 1, Wanted(scales=True, most_decoded=7))

    assert job is not None
    assert (job.most_pixels, job.most_side, job.most_bytes) == (LIMITS.max_pixels, LIMITS.max_side, LIMITS.max_bytes)
    assert (job.frames, job.as_it_is, job.scales, job.most_decoded) == (1, False, True, 7)
