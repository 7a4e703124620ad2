"""
Curves as SVG: pure. Points in, text out; a line for each name, its axes from zero or logarithmic.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log2

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 34, 46
COLOURS = ("#1b6ca8", "#c8553d", "#4c956c", "#8d6a9f", "#b08900", "#555555", "#d0719b")
TICKS = 4


def curves(title: str, across: str, up: str, lines: Mapping[str, Points], *, logarithmic: bool = False) -> str:
    """
    Return a plot of named lines; `across` and `up` say what the axes are, and in which units.

    Raises:
        ValueError: there is no point, or one at zero or below on a logarithmic axis.
    """
    xs = sorted({x for points in lines.values() for x, _ in points})
    most = max((y for points in lines.values() for _, y in points), default=0.0)
    if not xs:
        raise ValueError("no points")
    place = _scale(xs, logarithmic=logarithmic)
    parts = [*_axes(title, across, up, xs, most or 1.0, place), *_lines(lines, most or 1.0, place)]
    style = "text{font:12px sans-serif;fill:#333}.axis{stroke:#999;stroke-width:1}.grid{stroke:#e4e4e4;stroke-width:1}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><style>{style}</style>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _scale(xs: Sequence[float], *, logarithmic: bool) -> Mapping[float, float]:
    """Return where on the picture each of `xs` is."""
    if logarithmic and xs[0] <= 0:
        raise ValueError(f"{xs[0]:g} has no place on a logarithmic axis")
    measured = [log2(x) if logarithmic else x for x in xs]
    first = measured[0] if logarithmic else 0.0
    span = (measured[-1] - first) or 1.0
    return {x: LEFT + (WIDTH - LEFT - RIGHT) * (at - first) / span for x, at in zip(xs, measured, strict=True)}


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most


def _axes(
    title: str, across: str, up: str, xs: Sequence[float], most: float, place: Mapping[float, float]
) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for tick in range(TICKS + 1):
        value = most * tick / TICKS
        y = _y(value, most)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
    for x in xs:
        yield f'<text x="{place[x]:.1f}" y="{bottom + 16}" text-anchor="middle">{x:,g}</text>'
    yield f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
    yield f'<text x="{LEFT}" y="18">{escape(title)}: {escape(up)}</text>'
    yield f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>'


def _lines(lines: Mapping[str, Points], most: float, place: Mapping[float, float]) -> Iterator[str]:
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        at = [(place[x], _y(y, most)) for x, y in sorted(points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in at:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        y = TOP + 14 + 20 * number
        yield f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{WIDTH - RIGHT + 30}" y="{y}">{escape(name)}</text>'
