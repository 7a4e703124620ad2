"""
The `Ext` of an answer, which the vendor calls auxiliary information: what was met beside the labels.

Vendor: any part may be null or absent, and its pages disagree on which ids are numbers and which parts are lists. So an
object is taken where a list is promised, and a number for a text. What is neither is left out and counted; names that
verdicts are found by (ids of libraries, labels of logos) make the answer unacceptable where they are too many or too
long.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from consumer.config.privacy import LONGEST_TEXT, MOST_TEXTS, Disclosure, PrivacySettings
from consumer.hits import Box, FigureHit, Hits, LibraryHit, LogoHit

# An answer about one image names a few labels and libraries; the vendor's own labels have up to 60 characters. What is
# beyond these bounds is no answer of the provider's, and would make verdicts too large.
MOST_NAMES = 256  # labels, and libraries and logos of each kind
LONGEST_NAME = 256  # characters of each
FARTHEST = 1_000_000  # pixels: vendor: no side of an image has more than 16,384

Part = Mapping[str, Any]
_T = TypeVar("_T")


class Unacceptable(Exception):
    """Names the member that is not as promised."""


def read_hits(extension: Any, privacy: PrivacySettings) -> Hits:
    """
    Read what `Ext` contains. Texts that may not be told are not kept, but the names of logos: rules may be about them.

    Raises:
        Unacceptable: more or longer names than any provider sends.
    """
    return _Reading(privacy).hits(extension)


class _Reading:
    """Reads one `Ext`, and counts what it leaves out."""

    def __init__(self, privacy: PrivacySettings) -> None:
        self._privacy = privacy
        self._left_out = 0

    def hits(self, extension: Any) -> Hits:
        privacy = self._privacy
        parts = self._objects(extension)
        in_text = self._below(parts, "TextInImage")
        lines = self._below(in_text, "OcrResult")
        images = self._below(parts, "CustomImage")
        keywords = self._below(in_text, "CustomText")
        figures = self._below(parts, "PublicFigure")
        names = [self._figure(each) for each in figures] if privacy.public_figures in ("hash", "text") else []
        logos = [
            (logo, box)
            for part in self._below(parts, "LogoData")
            for box in (self._boxes(part)[:1] or [None])
            for logo in self._below([part], "Logo")
        ]
        words = [] if privacy.keywords == "none" else self._words(in_text, keywords)
        return Hits(
            image_libraries=_names(self._named(images, "LibId")),
            keyword_libraries=_names(self._named(keywords, "LibId")),
            public_figures=len(figures),
            logos=_names(self._named((logo for logo, _ in logos), "Label")),
            text_lines=len(lines),
            matched_words=len(words),
            recognised_text=_told((self._text(line.get("Text")) for line in lines), privacy.recognised_text),
            figures=_told(names, privacy.public_figures),
            keywords=_told(words, privacy.keywords),
            image_hits=self._bounded(self._library(each) for each in images if _text(each.get("LibId"))),
            keyword_hits=self._bounded(self._library(each) for each in keywords if _text(each.get("LibId"))),
            figure_hits=self._figures(figures, names),
            logo_hits=self._bounded(self._logo(*each) for each in logos if _text(each[0].get("Label"))),
            logo_names=_names(filter(None, (_text(logo.get("Name"))[:LONGEST_TEXT] for logo, _ in logos))),
            left_out=self._left_out,  # the last: all others add to it
        )

    def _library(self, part: Part) -> LibraryHit:
        library = _text(part.get("LibId"))
        if not self._privacy.libraries:
            return LibraryHit(library)
        return LibraryHit(library, self._shown(part.get("LibName")), self._shown(part.get("ImageId")))

    def _figures(self, figures: Sequence[Part], names: Sequence[str]) -> tuple[FigureHit, ...]:
        """Read who is where; `names` is empty where none may be told."""
        telling = self._privacy.public_figures
        if names:
            told = [next(iter(_told([name], telling)), None) for name in names]
            return self._bounded(FigureHit(name, self._boxes(each)) for name, each in zip(told, figures, strict=True))
        return self._bounded(FigureHit(None, self._boxes(each)) for each in figures) if self._privacy.locations else ()

    def _logo(self, logo: Part, box: Box | None) -> LogoHit:
        confidence = logo.get("Confidence")
        if confidence is not None and not _is_number(confidence, 0, 100):
            self._left_out += 1
            confidence = None
        return LogoHit(
            _text(logo.get("Label")),
            None if confidence is None else float(confidence),
            self._shown(logo.get("Name")) if self._privacy.logos else None,
            box,
        )

    def _boxes(self, part: Part) -> tuple[Box, ...]:
        """Read where something is, where that may be told."""
        if not self._privacy.locations:
            return ()
        boxes = (self._box(each) for each in self._below([part], "Location"))
        return self._bounded(box for box in boxes if box is not None)

    def _box(self, location: Part) -> Box | None:
        sides: list[Any] = [location.get(name) for name in "XYWH"]
        if all(_is_number(each, -FARTHEST, FARTHEST) for each in sides):
            return Box(*map(float, sides))
        self._left_out += 1
        return None

    def _words(self, in_text: Iterable[Part], libraries: Iterable[Part]) -> list[str]:
        """Gather the provider's risk words and the custom libraries' keywords."""
        found = [word for part in in_text for word in _elements(part.get("RiskWord"))]
        found += [library.get("KeyWords") for library in libraries]
        return [text for text in map(self._text, found) if text]

    def _named(self, parts: Iterable[Part], name: str) -> Iterator[str]:
        """Read what each part is found by; one without it is left out."""
        for part in parts:
            if text := _text(part.get(name)):
                yield text
            else:
                self._left_out += 1

    def _below(self, parents: Iterable[Part], name: str) -> list[Part]:
        return [each for parent in parents for each in self._objects(parent.get(name))]

    def _objects(self, value: Any) -> list[Part]:
        elements = [] if value is None else _elements(value)
        objects: list[Part] = [each for each in elements if isinstance(each, dict)]
        self._left_out += len(elements) - len(objects) - elements.count(None)
        return objects

    def _text(self, value: Any) -> str:
        """Read a text that may be told. Vendor: it may be null."""
        if value is not None and not isinstance(value, str | int | float):
            self._left_out += 1
        return _text(value)

    def _shown(self, value: Any) -> str | None:
        return self._text(value)[:LONGEST_TEXT] or None

    def _figure(self, part: Part) -> str:
        """Vendor: some people have a code instead of a name."""
        return self._text(part.get("FigureName")) or self._text(part.get("FigureId"))

    def _bounded(self, found: Iterable[_T]) -> tuple[_T, ...]:
        """Keep each once, and as many as a verdict tells."""
        each_once = tuple(dict.fromkeys(found))
        self._left_out += len(each_once[MOST_TEXTS:])
        return each_once[:MOST_TEXTS]


def _told(texts: Iterable[str], telling: Disclosure) -> tuple[str, ...]:
    """Bring texts into the form that may be shown; those that may not be shown are not read."""
    if telling in ("none", "count"):
        return ()
    first = islice(dict.fromkeys(filter(None, texts)), MOST_TEXTS)
    if telling == "hash":
        return tuple(sorted(hashlib.sha256(text.encode()).hexdigest()[:32] for text in first))
    return tuple(text[:LONGEST_TEXT] for text in first)


def _names(found: Iterable[str]) -> tuple[str, ...]:
    names = set(found)
    if len(names) > MOST_NAMES or any(len(each) > LONGEST_NAME for each in names):
        raise Unacceptable("Ext")
    return tuple(sorted(names))


def _elements(value: Any) -> list[Any]:
    """Return a list's elements, or the one thing that stands where a list was promised."""
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """Read a text, or a number that stands for one. Vendor: its pages disagree on which ids are numbers."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
