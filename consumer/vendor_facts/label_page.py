"""
The vendor's page about Image Moderation 2.0, as text, read for the labels that it lists. Text in, values out.

    Last Updated:Mar 03, 2026
    Table 4. Labels supported by general baseline check (baselineCheck_global)
    Label valueConfidence score range (confidence)Description
    pt_custom_010 to 100. A higher score indicates a higher confidence level.Custom label 01.

A table's cells may stand side by side, as a page is saved, or have blanks, tabs or bars between them. What stands in a
table and is no row of it is refused: a label that is overlooked would be missing in silence.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from consumer.vendor_facts.aliyun import ALLOWLISTED, DEFAULT_SERVICE, NOTHING_FOUND
from consumer.vendor_facts.catalogue import Catalogue

_UPDATED = re.compile(r"\s*Last Updated:\s*(\w{3} \d{1,2}, \d{4})\s*")
_TITLE = re.compile(r"[\s|]*Table \d+\. Labels supported by .*\((\w+)\)[\s|]*")
_HEAD = re.compile(r"[\s|]*Label value[\s|]*Confidence score range.*")
_RULE = re.compile(r"[\s|:-]*\|[\s|:-]*")  # between the head and the rows of a table in Markdown
_ROW = re.compile(r"[\s|]*(?P<label>[A-Za-z]\w*?)[\s|]*(?P<range>0 to 100\.|This field is not present\.).*")
_AFTER = re.compile(r"\s*tii is an abbreviation .*")  # the paragraph that follows a table
_NOT_PRESENT = "This field is not present."


class Unread(ValueError):
    """A page that cannot be read: the line, from 1, where it is one line's fault, and why."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.line = line


class _Row(NamedTuple):
    line: int
    service: str | None  # None in the table of what every service answers
    label: str
    has_confidence: bool


def read_page(text: str) -> Catalogue:
    """
    Take the catalogue from a page.

    Raises:
        Unread: it is another page, a part of it, or one of another form.
    """
    lines = text.splitlines()
    updated = _updated(lines)
    services: dict[str, dict[str, bool]] = {}
    shared: dict[str, bool] = {}
    stood: dict[tuple[str | None, str], int] = {}
    for row in _rows(lines):
        if (first := stood.setdefault((row.service, row.label), row.line)) != row.line:
            raise Unread(f"lists {row.label} again, first in line {first}", row.line)
        (shared if row.service is None else services.setdefault(row.service, {}))[row.label] = row.has_confidence
    if DEFAULT_SERVICE not in services:
        raise Unread(f"has no table of the labels of {DEFAULT_SERVICE}")
    if missing := [each for each in (NOTHING_FOUND, ALLOWLISTED) if each not in shared]:
        raise Unread(f"has no row of {' and of '.join(missing)}: is it the whole page?")
    return Catalogue(updated, services, shared)


def _updated(lines: list[str]) -> date:
    for nth, line in enumerate(lines, 1):
        if found := _UPDATED.fullmatch(line):
            try:
                return datetime.strptime(found[1], "%b %d, %Y").date()
            except ValueError:
                raise Unread(f"{found[1]} is no day, such as Mar 03, 2026", nth) from None
    raise Unread("has no line `Last Updated:Mar 03, 2026`, which dates the catalogue")


def _rows(lines: list[str]) -> Iterator[_Row]:
    service: str | None = None
    is_in_table = False
    for nth, line in enumerate(lines, 1):
        if titled := _TITLE.fullmatch(line):
            service, is_in_table = titled[1], False
        elif _HEAD.fullmatch(line):
            is_in_table = True
        elif is_in_table and (not line.strip() or _AFTER.fullmatch(line)):
            service, is_in_table = None, False
        elif is_in_table and not _RULE.fullmatch(line):
            yield _row(nth, service, line)


def _row(nth: int, service: str | None, line: str) -> _Row:
    found = _ROW.fullmatch(line)
    if found is None:
        raise Unread("stands in a table of labels, and is no label with `0 to 100.` or `This field is not …`", nth)
    return _Row(nth, service, found["label"], found["range"] != _NOT_PRESENT)
