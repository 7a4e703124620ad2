"""
Whether an image is uploaded as it is, refused, or prepared first. Pure.
"""

from dataclasses import dataclass

from consumer.images.preparing import Job
from consumer.vendor_facts.images import LIMITS, ImageLimits

READ = frozenset({"png", "jpeg", "gif", "webp", "bmp", "tiff", "ico", "heif", "avif", "jp2", "psd"})
"""Formats that a worker reads. SVG is none: it is a program that draws, and is never run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the configuration wants of images. Without anything nothing is prepared."""

    frames: int = 1
    scales: bool = False
    converts: bool = False
    most_decoded: int = 50_000_000  # pixels


NOTHING = Wanted()


def is_mended(problem: str, format_name: str | None, wanted: Wanted, limits: ImageLimits = LIMITS) -> bool:
    """Whether preparing is to do away with what the provider would refuse, a word of `formats.problem_of`."""
    if format_name not in READ:
        return False
    if problem == "format":
        return wanted.converts
    return wanted.scales and (wanted.converts or format_name in limits.formats)


def job_for(
    format_name: str, problem: str | None, frames: int | None, wanted: Wanted, limits: ImageLimits = LIMITS
) -> Job | None:
    """
    What is to be made of a file whose problem, if any, is mended; None where it is uploaded as it is.

    `frames` are those that it has, None where that cannot be told by its headers.
    """
    if problem is None and (wanted.frames == 1 or frames == 1 or format_name not in READ):
        return None
    return Job(
        format_name=format_name,
        frames=wanted.frames,
        scales=wanted.scales,
        as_it_is=problem is None,
        most_decoded=wanted.most_decoded,
        most_pixels=limits.max_pixels,
        most_side=limits.max_side,
        most_bytes=limits.max_bytes,
    )
