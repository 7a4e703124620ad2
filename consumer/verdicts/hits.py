"""
`hits` of a verdict: what the provider tells beside its labels, over all services, and by service.

Each text stands there only where the privacy settings ask for it.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from consumer.config.privacy import MOST_TEXTS, Disclosure, PrivacySettings
from consumer.hits import NOTHING_MET, Box, FigureHit, Hits, LibraryHit, LogoHit
from consumer.records import ModerationResult

_TEXTS = (
    ("recognised_text", "recognised_text", "text_lines"),
    ("figures", "public_figures", "public_figures"),
    ("keywords", "keywords", "matched_words"),
)
"""Kinds of text: the member that tells them, the setting that says how, and the member that counts them."""


def shown_hits(answers: Sequence[ModerationResult], privacy: PrivacySettings) -> dict[str, Any]:
    """Write what was met. `services` has an element for each service, and frame, that met anything."""
    met = [answer for answer in answers if answer.hits is not NOTHING_MET and answer.hits != NOTHING_MET]
    if not met:
        return _nothing_met(privacy)
    return {
        **_of([answer.hits for answer in met], privacy),
        "services": [_service(answer, privacy) for answer in met],
    }


@lru_cache(maxsize=16)
def _nothing_met(privacy: PrivacySettings) -> dict[str, Any]:
    """Of most images; what is returned is only to be read."""
    return {**_of((), privacy), "services": []}


def _of(hits: Sequence[Hits], privacy: PrivacySettings) -> dict[str, Any]:
    return {
        "image_libraries": sorted({library for each in hits for library in each.image_libraries}),
        "keyword_libraries": sorted({library for each in hits for library in each.keyword_libraries}),
        "public_figures": sum([each.public_figures for each in hits]),
        "logos": sorted({logo for each in hits for logo in each.logos}),
        "text_lines": sum([each.text_lines for each in hits]),
        **_texts(hits, privacy),
    }


def _service(answer: ModerationResult, privacy: PrivacySettings) -> dict[str, Any]:
    hits = answer.hits
    frame = {} if answer.frame is None else {"frame": answer.frame}
    people = {"people": [_figure(each, privacy) for each in hits.figure_hits]} if hits.figure_hits else {}
    return {
        "service": answer.service,
        **frame,
        "image_libraries": [_image_library(each, privacy) for each in hits.image_hits],
        "keyword_libraries": [_keyword_library(each, privacy) for each in hits.keyword_hits],
        "logos": [_logo(each, privacy) for each in hits.logo_hits],
        "public_figures": hits.public_figures,
        "text_lines": hits.text_lines,
        **people,
        "left_out": hits.left_out,
    }


def _texts(hits: Sequence[Hits], privacy: PrivacySettings) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, setting, counted in _TEXTS:
        telling: Disclosure = getattr(privacy, setting)
        if telling == "none":
            continue
        if telling == "count":
            shown[name] = sum([getattr(each, counted) for each in hits])
        else:
            told = dict.fromkeys(chain.from_iterable([getattr(each, name) for each in hits]))
            shown[name] = (sorted(told) if telling == "hash" else list(told))[:MOST_TEXTS]
    return shown


def _image_library(hit: LibraryHit, privacy: PrivacySettings) -> dict[str, Any]:
    return {**_keyword_library(hit, privacy), **({"image": hit.image} if privacy.libraries else {})}


def _keyword_library(hit: LibraryHit, privacy: PrivacySettings) -> dict[str, Any]:
    return {"id": hit.library, **({"name": hit.name} if privacy.libraries else {})}


def _logo(hit: LogoHit, privacy: PrivacySettings) -> dict[str, Any]:
    return {
        "label": hit.label,
        "confidence": hit.confidence,
        **({"name": hit.name} if privacy.logos else {}),
        **({"location": _location(hit.box) if hit.box else None} if privacy.locations else {}),
    }


def _figure(hit: FigureHit, privacy: PrivacySettings) -> dict[str, Any]:
    return {
        **({"name": hit.name} if privacy.public_figures in ("hash", "text") else {}),
        **({"locations": [_location(box) for box in hit.boxes]} if privacy.locations else {}),
    }


def _location(box: Box) -> dict[str, float]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
