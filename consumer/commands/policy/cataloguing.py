"""Renew the catalogue of labels from the vendor's page, and say what is different."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from consumer.errors import Misconfigured
from consumer.vendor_facts.aliyun import CATALOGUE
from consumer.vendor_facts.catalogue import Catalogue, written
from consumer.vendor_facts.label_page import Unread, read_page

_MARKS = {"added": "+", "removed": "-", "changed": "~"}


class Change(NamedTuple):
    """One label that is new, gone, or has a confidence where it had none, or the other way round."""

    kind: Literal["added", "removed", "changed"]
    service: str | None  # None for every service
    label: str
    has_confidence: bool


def compared(page: Path) -> tuple[Catalogue, list[Change]]:
    """
    Read the vendor's page, and say what is different from the catalogue of this release.

    Raises:
        Misconfigured: it cannot be read, or is older than the catalogue of this release.
    """
    try:
        found = read_page(page.read_text("utf-8"))
    except OSError as error:
        raise Misconfigured([f"{page}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise Misconfigured([f"{page}: is no text in UTF-8: save the page as text"]) from error
    except Unread as error:
        place = f"{page}:{error.line}" if error.line else str(page)
        raise Misconfigured([f"{place}: {error}"]) from error
    if found.updated < CATALOGUE.updated:
        raise Misconfigured([f"{page}: is of {found.updated}, and the catalogue of {CATALOGUE.updated}: save it anew"])
    return found, changes(CATALOGUE, found)


def changes(before: Catalogue, after: Catalogue) -> list[Change]:
    """Say what is different, in the order of the page; what went comes last."""
    one, two = _flat(before), _flat(after)
    found = [
        Change("changed" if key in one else "added", *key, has_confidence)
        for key, has_confidence in two.items()
        if one.get(key) != has_confidence
    ]
    return found + [Change("removed", *key, had) for key, had in one.items() if key not in two]


def _flat(catalogue: Catalogue) -> Mapping[tuple[str | None, str], bool]:
    tables = [*catalogue.services.items(), (None, catalogue.shared)]
    return {(service, label): has_one for service, labels in tables for label, has_one in labels.items()}


def write(catalogue: Catalogue, path: Path) -> None:
    """
    Write the catalogue.

    Raises:
        Misconfigured: the file cannot be written.
    """
    try:
        path.write_bytes(written(catalogue))
    except OSError as error:
        raise Misconfigured([f"--write: {path} cannot be written: {error.strerror}"]) from error


def as_json(found: Sequence[Change]) -> str:
    """An object for each, a line each."""
    return "\n".join(orjson.dumps(each._asdict()).decode() for each in found)


def as_text(found: Sequence[Change], catalogue: Catalogue) -> str:
    """For people."""
    return "\n".join(_lines(found, catalogue))


def _lines(found: Sequence[Change], catalogue: Catalogue) -> Iterator[str]:
    for each in found:
        about = f"{each.label} ({each.service or 'every service'})"
        changed = f": {'has a confidence now' if each.has_confidence else 'has no confidence any more'}"
        yield f"{_MARKS[each.kind]} {about}{changed if each.kind == 'changed' else ''}"
    counts = [(kind, sum(each.kind == kind for each in found)) for kind in _MARKS]
    said = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    listed = ", ".join(f"{len(labels)} labels of {service}" for service, labels in catalogue.services.items())
    yield f"the page of {catalogue.updated} lists {listed}: {said or f'as the catalogue of {CATALOGUE.updated} does'}"
