"""
A manifest: one image a row, as CSV with a line of names, or as lines. Pure.

    image,tenant,subject                        https://example.com/1.jpg
    https://example.com/1.jpg,shop-eu,u_1       {"image": "https://example.com/2.jpg", "tenant": "shop-eu"}
                                                {"bucket": "ugc", "key": "a/b.jpg"}
                                                {"schema": "image.uploaded.v1", …}

A line that has `schema` is a whole upload event, and is sent as it is.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumer.commands.lists import written_lines
from consumer.commands.scan.items import printable

COLUMNS = (
    "image", "bucket", "key", "store", "region", "version", "id", "mime", "bytes", "sha256", "tenant", "purpose",
    "subject", "subject_type", "revision", "event_id", "event_time",
)  # fmt: skip
NUMBERS = ("bytes", "revision")
SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says; `where` is its file and line."""

    where: str
    members: Mapping[str, Any] = field(repr=False)  # a URL may be presigned


def rows(lines: Iterable[bytes], file: str, *, is_csv: bool) -> Iterator[Row | str]:
    """Yield the rows of a manifest, and in their places a problem for each that is none. Nothing escapes."""
    return _csv_rows(lines, file) if is_csv else _line_rows(lines, file)


def _line_rows(lines: Iterable[bytes], file: str) -> Iterator[Row | str]:
    for number, line in written_lines(lines):
        where = f"{file}:{number}"
        try:
            yield Row(where, _members(line))
        except ValueError as error:
            yield f"{where}: {error}"


def _members(line: bytes) -> Mapping[str, Any]:
    if not line.lstrip().startswith(b"{"):
        return {"image": _text(line)}
    try:
        members: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"begins with a brace and is no JSON object: {error}") from None
    if SCHEMA not in members:
        _check(list(members))
    return members


def _text(line: bytes) -> str:
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None


def _check(names: list[str]) -> None:
    if wrong := sorted(set(names) - set(COLUMNS)):
        raise ValueError(f"{printable(', '.join(wrong)[:100])} is no member; there are {', '.join(COLUMNS)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is there twice")
    if "image" not in names and not {"bucket", "key"} <= set(names):
        raise ValueError("says no image: it needs image (a URL), or bucket and key")


def _csv_rows(lines: Iterable[bytes], file: str) -> Iterator[Row | str]:
    reader = csv.reader((line.decode("utf-8", "surrogateescape") for line in lines), strict=True)
    names: list[str] | None = None
    begin = 1
    try:
        for cells in reader:
            where, begin = f"{file}:{begin}", reader.line_num + 1
            if names is None:
                names = [cell.strip().removeprefix("\ufeff") for cell in cells]
                _check(names)
            elif cells:
                yield _csv_row(cells, names, where)
    except (csv.Error, ValueError) as error:
        yield f"{file}:{begin if names is None or isinstance(error, csv.Error) else 1}: {error}"


def _csv_row(cells: list[str], names: list[str], where: str) -> Row | str:
    if len(cells) != len(names):
        return f"{where}: has {len(cells)} cells, and the first line names {len(names)}"
    found = {name: _number(cell) if name in NUMBERS else cell for name, cell in zip(names, cells, strict=True) if cell}
    for name, cell in found.items():
        if isinstance(cell, str) and not cell.isascii() and any("\ud800" <= each <= "\udfff" for each in cell):
            return f"{where}: {name} is not UTF-8"
    return Row(where, found)


def _number(cell: str) -> int | str:
    digits = cell.removeprefix("-")
    return int(cell) if digits.isascii() and digits.isdecimal() and len(digits) < 17 else cell
