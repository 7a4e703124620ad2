"""A backtest's plots, as SVG that stands in a page. Texts come from strangers: each is escaped."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log10
from typing import Any

from consumer.commands.scan.items import printable
from consumer.records import DECISIONS

Row = Mapping[str, Any]

_NAMES = [each.value for each in DECISIONS]
_LONGEST = 34  # characters of a label beside its bar


def matrix(result: Row) -> str:
    """
    A cell for each pair: what is as before is grey; what is not has the colour of what it becomes, the stronger the
    more.
    """
    most = max((cell["value"] for row in result["matrix"].values() for cell in row.values()), default=0)
    width, height = 86 + 118 * len(_NAMES), 20 + 72 * len(_NAMES)
    return _svg(width, height, "Current decisions by row, the candidate's by column", _matrix(result["matrix"], most))


def _matrix(cells: Mapping[str, Mapping[str, Row]], most: float) -> Iterator[str]:
    for column, name in enumerate(_NAMES):
        yield _text(128 + column * 118, 14, f"→ {name}", middle=True)
    for line, now in enumerate(_NAMES):
        yield _text(62, 58 + line * 72, now, end=True)
        for column, then in enumerate(_NAMES):
            cell, x, y = cells[now][then], 72 + column * 118, 22 + line * 72
            shade = 0.0 if not cell["value"] else 0.15 + 0.45 * log10(1 + cell["value"]) / log10(1 + most)
            kind = "same" if now == then else f"to-{then}"
            yield f'<rect class="axis" x="{x}" y="{y}" width="112" height="66" rx="6" fill="none"/>'
            opacity = 0.6 if now == then else shade
            yield f'<rect class="{kind}" x="{x}" y="{y}" width="112" height="66" rx="6" fill-opacity="{opacity:.2f}"/>'
            yield _text(x + 56, y + 32, f"{cell['value']:,.0f}", middle=True)
            yield _text(x + 56, y + 50, f"{cell['low']:,.0f} to {cell['high']:,.0f}", middle=True, dim=True)


def bars(rows: Sequence[Row], title: str) -> str:
    """A bar for each name: the images that would become another decision, by which."""
    most = max((row["flips"] for row in rows), default=0) or 1
    return _svg(720, 24 * len(rows) + 8, title, _bars(rows, most))


def _bars(rows: Sequence[Row], most: int) -> Iterator[str]:
    for line, row in enumerate(rows):
        y, x = 4 + 24 * line, 250.0
        yield _text(242, y + 14, _cut(row["name"]), end=True)
        for kind in [f"to_{each}" for each in reversed(_NAMES)]:
            if row[kind]:
                width = max(1.0, 340 * row[kind] / most)
                told = f"{row['name']}: {row[kind]:,} {kind.replace('_', ' ')}"
                yield (
                    f'<rect class="{kind.replace("_", "-")}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="18">'
                    f"<title>{escape(printable(told))}</title></rect>"
                )
                x += width
        yield _text(x + 6, y + 14, f"{row['flips']:,} of {row['images']:,}", dim=True)


def histogram(row: Row) -> str:
    """How often each confidence was answered; where rules of either policy begin or end to match."""
    return _svg(320, 138, f"Confidences of {row['label']}", _histogram(row))


def _histogram(row: Row) -> Iterator[str]:
    counts, most = row["counts"], max(row["counts"]) or 1
    width = 300 / len(counts)
    for place, count in enumerate(counts):
        height = 96 * count / most
        told = f"{place * row['width']:g} to {(place + 1) * row['width']:g}: {count:,}"
        yield (
            f'<rect class="bar" x="{10 + place * width + 1:.1f}" y="{112 - height:.1f}" width="{width - 2:.1f}" '
            f'height="{height:.1f}"><title>{told}</title></rect>'
        )
    yield '<line class="axis" x1="10" y1="112" x2="310" y2="112"/>'
    yield _text(310, 10, f"most: {most:,}", end=True, dim=True)
    for at in (0, 25, 50, 75, 100):
        yield _text(10 + at * 3, 126, f"{at}", middle=True, dim=True)
    for whose, kind, top in (("current", "now", 6), ("candidate", "then", 12)):
        for bound in row["bounds"][whose]:
            x = 10 + bound["at"] * 3
            told = f"{bound['rule']} ({whose}): {bound['at']:g} → {bound['then']}"
            line = f'<line class="{kind}" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="112">'
            yield f"{line}<title>{escape(told)}</title></line>"


def _svg(width: int, height: int, title: str, parts: Iterator[str]) -> str:
    told = escape(printable(title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{told}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, *, middle: bool = False, end: bool = False, dim: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ' text-anchor="end"' if end else ""
    kind = ' class="dim"' if dim else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{anchor}{kind}>{escape(text)}</text>'


def _cut(name: str) -> str:
    text = printable(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
