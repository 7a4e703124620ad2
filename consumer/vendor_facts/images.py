"""
Which images Alibaba Cloud judges, as its page "Synchronous moderation API for Image Moderation 2.0" has it, last
updated on 3 March 2026:

    Supported formats: PNG, JPG, JPEG, BMP, WEBP, TIFF, SVG, HEIF (the longest edge must be less than 8,192 px), GIF
    (only the first frame is used), and ICO (only the last image is used).

    Maximum file size: 20 MB. The height or width cannot exceed 16,384 px, and the total pixel count cannot exceed 167
    million. For best results, use images with a resolution greater than 200 x 200 px.

Whether its MB has 1,000,000 or 1,048,576 bytes it does not say: the larger is taken, so that nothing is refused here
that would be judged there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image may be."""

    formats: frozenset[str]
    max_bytes: int
    max_side: int  # pixels
    max_pixels: int
    max_side_by_format: Mapping[str, int] = field(default_factory=dict)


MOST_BYTES = 20 * 1024 * 1024

LIMITS = ImageLimits(
    formats=frozenset({"png", "jpeg", "bmp", "webp", "tiff", "svg", "heif", "gif", "ico"}),
    max_bytes=MOST_BYTES,
    max_side=16_384,
    max_pixels=167_000_000,
    max_side_by_format=MappingProxyType({"heif": 8_191}),
)
JUDGED: Mapping[str, Literal["first", "last"]] = MappingProxyType({"gif": "first", "ico": "last"})
"""Which picture of a file with several is judged, by its format. Of others the page does not say."""


def judged_picture(format_name: str, count: int) -> int:
    """Return which of a file's pictures the provider judges, from 0; where its page does not say, the first."""
    return count - 1 if JUDGED.get(format_name) == "last" else 0
