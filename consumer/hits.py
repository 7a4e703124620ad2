"""
What the provider tells beside its labels: the libraries, people, logos and texts that it met in an image. Values only.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an image, in pixels from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class LibraryHit:
    """One of the account's own libraries that was met. Names and images as far as the privacy settings allow."""

    library: str  # its id
    name: str | None = None
    image: str | None = None  # the id of the image in it


@dataclass(frozen=True, slots=True)
class FigureHit:
    """A person that was recognised. Each part as far as the privacy settings allow."""

    name: str | None = None  # or the person's code, or the hash of either
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class LogoHit:
    """A logo that was recognised. Its name and place as far as the privacy settings allow."""

    label: str
    confidence: float | None = None  # 0 to 100
    name: str | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What one answer tells beside its labels: ids and counts, and texts as far as the privacy settings allow."""

    image_libraries: tuple[str, ...] = ()
    keyword_libraries: tuple[str, ...] = ()
    public_figures: int = 0
    logos: tuple[str, ...] = ()
    text_lines: int = 0
    matched_words: int = 0
    recognised_text: tuple[str, ...] = ()  # texts or their hashes
    figures: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    image_hits: tuple[LibraryHit, ...] = ()
    keyword_hits: tuple[LibraryHit, ...] = ()
    figure_hits: tuple[FigureHit, ...] = ()
    logo_hits: tuple[LogoHit, ...] = ()
    logo_names: tuple[str, ...] = field(default=(), repr=False)  # all of them, for the policy alone
    left_out: int = 0  # parts that were not as the provider documents them, or too many


NOTHING_MET = Hits()
