"""
A backtest's result as one page that loads nothing and runs nothing, for somebody without a terminal.

Names come from strangers: each is escaped. Where an image is, is told as text: the page leads nowhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from consumer.commands.pages import template
from consumer.commands.policy.backtesting import plots
from consumer.commands.policy.backtesting.text import BECOMES, about, headline, not_counted, people, reference, reviews
from consumer.commands.scan.items import printable
from consumer.records import Decision

Row = Mapping[str, Any]

_BARS = 20
_ROWS = 50
CHANGES = (Decision.BLOCK, Decision.PASS, Decision.REVIEW)
"""What images would newly become, in the order in which they are shown."""


def page(result: Row) -> str:
    """Make the page."""
    current, candidate = result["current"], result["candidate"]
    filled = {
        "{title}": f"{_e(current['id'])} {current['version']} → {_e(candidate['id'])} {candidate['version']}",
        "{headline}": escape(headline(result)),
        "{about}": _e(about(result)),
        "{sections}": "\n".join(_sections(result)),
    }
    made = template("consumer.commands.policy.backtesting", "page.html")
    for name, text in filled.items():
        made = made.replace(name, text, 1) if name == "{sections}" else made.replace(name, text)
    return made


def _sections(result: Row) -> Iterator[str]:
    yield _figures(result)
    if result["gates"]:
        yield _section("Gates", _gates(result["gates"]))
    yield _section(
        "What is decided now, and would be",
        plots.matrix(result),
        "Rows: now. Columns: by the candidate. Below each count, between what it lies with 95 % certainty for as many "
        "uploads like these.",
    )
    for name, title, noun in (("labels", "By label", "label"), ("tenants", "By tenant", "tenant")):
        if any(row["flips"] for row in result[name]):
            yield _section(title, _by_name(result[name], title, noun))
    if any(row["flips"] for row in result["purposes"]):
        yield _section("By purpose", _rows(result["purposes"], "purpose"))
    if result["confidences"]:
        yield _section(
            "Confidences, and where rules begin and end",
            f'<div class="plots">{"".join(map(_histogram, result["confidences"]))}</div>',
            "Dashed: bounds of the current policy's rules. Red: the candidate's.",
        )
    if result["rules"]:
        yield _section("Rules of the candidate", _rules(result["rules"]), "Left out, each would change so many images.")
    if result["samples"]:
        yield _section(
            "Images to look at", "".join(_samples(result["samples"])), "Some of each change and label, by chance."
        )
    yield _section("What people decided", "".join(f"<p>{escape(each)}</p>" for each in people(result)))
    yield _section("What is not counted", "".join(_not_counted(result)))


def _figures(result: Row) -> str:
    flips, told = result["flips"], result["reviews"]
    figures: list[tuple[str, str, str, str]] = [
        (
            kind,
            BECOMES[kind].capitalize(),
            f"{flips[f'to_{kind}']['value']:,.0f}",
            _between(flips[f"to_{kind}"], ",.0f"),
        )
        for kind in CHANGES
    ]
    hours = told["hours"]
    figures.append(("", "Reviewers' hours", f"{hours['value']:+,.1f}", _between(hours, "+,.1f")))
    cards = "".join(
        f'<div class="figure"><b class="{kind}">{value}</b>{title}<br><span>{between}</span></div>'
        for kind, title, value, between in figures
    )
    return f'<div class="figures">{cards}</div><section><p>{escape(reviews(result))}</p></section>'


def _between(interval: Row, written: str) -> str:
    return f"{interval['low']:{written}} to {interval['high']:{written}}"


def _gates(gates: Sequence[Row]) -> str:
    return _table(
        ("gate", "bound", "measured", ""),
        (
            (
                _e(gate["name"]),
                f"{gate['bound']:g}",
                "not measured" if gate["value"] is None else f"{gate['value']:,.4g}",
                f'<span class="{"held" if gate["held"] else "failed"}">{"holds" if gate["held"] else "does not hold"}'
                f"</span> {_e(gate['note'])}",
            )
            for gate in gates
        ),
        texts=(3,),
    )


def _by_name(rows: Sequence[Row], title: str, noun: str) -> str:
    wanted = [row for row in rows if row["flips"]][:_BARS]
    table = f"<details><summary>as a table</summary>{_rows(rows, noun)}</details>"
    return f'<div class="wide">{plots.bars(wanted, title)}</div>{table}'


def _rows(rows: Sequence[Row], noun: str) -> str:
    names = ("images", "flips", *(f"to_{decision}" for decision in BECOMES))
    return _table(
        (noun, "images", "differ", *(f"→ {each}" for each in BECOMES)),
        ((_e(row["name"]), *(f"{row[name]:,}" for name in names)) for row in rows[:_ROWS]),
    )


def _histogram(row: Row) -> str:
    return f"<div><h3>{_e(row['label'])}</h3>{plots.histogram(row)}</div>"


def _rules(rows: Sequence[Row]) -> str:
    return _table(
        ("rule", "images", "what they would be without it, and are"),
        (
            (
                _e(row["rule"]),
                f"{row['images']:,}",
                ", ".join(f"{flip} {count:,}" for flip, count in row["flips"].items()),
            )
            for row in rows[:_ROWS]
        ),
        texts=(2,),
    )


def _samples(strata: Sequence[Row]) -> Iterator[str]:
    for kind in CHANGES:
        for row in [each for each in strata if each["candidate"] == kind]:
            yield (
                f'<h3>{BECOMES[kind].capitalize()}: <span class="{row["current"]}">{row["current"]}</span> → '
                f'<span class="{kind}">{kind}</span>, {_e(row["label"] or "no label")} ({row["count"]:,})</h3>'
                f'<div class="images">{"".join(map(_image, row["images"]))}</div>'
            )


def _image(image: Row) -> str:
    found = "".join(f'<span class="label">{_e(_found(each))}</span>' for each in image["findings"])
    rules = " → ".join(_e(image[whose]["rule"] or "not judged") for whose in ("current", "candidate"))
    about_it = (
        ("tenant", image["tenant"]), ("purpose", image["purpose"]), ("subject", image["subject"]),
        ("version", image["version"]), ("verdict", image["verdict_id"]), ("read at", image["at"]),
    )  # fmt: skip
    terms = "".join(f"<dt>{name}</dt><dd>{_e(text)}</dd>" for name, text in about_it if text)
    return (
        f'<div class="image"><p>{_e(reference(image))}</p>{found}<p>{rules}</p>'
        f"<details><summary>more</summary><dl>{terms}</dl></details></div>"
    )


def _found(finding: Row) -> str:
    confidence = "" if finding["confidence"] is None else f" {finding['confidence']:g}"
    return f"{finding['label']}{confidence} {finding['level']}"


def _not_counted(result: Row) -> Iterator[str]:
    records = result["records"]
    yield f"<p>{records['read']:,} records were read, {records['replayed']:,} images are counted.</p>"
    if found := not_counted(result):
        yield _table(("records", "why"), ((f"{count:,}", _e(why)) for why, count in found), texts=(1,))
    same = records["decided_by_current"]
    if same["disagreed"]:
        yield (
            f'<p class="warning">{same["disagreed"]:,} verdicts of the current policy itself are replayed otherwise '
            "than they were decided: do not trust this backtest.</p>"
        )


def _section(title: str, content: str, told: str = "") -> str:
    said = f"<p>{escape(told)}</p>" if told else ""
    return f"<section><h2>{escape(title)}</h2>{said}{content}</section>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = ()) -> str:
    """A table of cells that are escaped already; those in `texts` are no numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = (' class="text"' if place in texts else "" for place in range(len(cells)))
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    body = "".join(f"<tr>{line(cells, 'td')}</tr>" for cells in rows)
    return f'<div class="wide"><table><tr>{line([escape(each) for each in headings], "th")}</tr>{body}</table></div>'


def _e(text: object) -> str:
    return escape(printable(str(text)))
