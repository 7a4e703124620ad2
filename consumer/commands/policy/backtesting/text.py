"""A backtest's result for people at a terminal, and as CSV. Names come from strangers."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from consumer.commands.scan.items import printable
from consumer.commands.scan.progress import STYLES
from consumer.records import DECISIONS, Decision

_FEW = 10  # rows of each table
_SAMPLES = 5  # strata of each direction

Row = Mapping[str, Any]

BECOMES = {Decision.BLOCK: "newly blocked", Decision.REVIEW: "newly reviewed", Decision.PASS: "newly passed"}
"""What becomes of an image that would come to this decision, and does not now; in the order in which it is told."""

LEFT_OUT = {
    "before": "decided before --since",
    "not_sampled": "not in the sample",
    "provisional": "provisional: the final verdict is another record",
    "no_answer": "not judged: no service had answered",
    "omitted": "too large to be kept whole",
    "asked_not_said": "of a release that does not say what was asked",
    "repeated": "of a submission that is counted already",
    "not_believed": "signed by none of identity.keys, or of another group",
    "not_a_verdict": "no verdict of moderation.verdict.v1",
    "not_a_decision": "no decision of moderation.review.v1",
}
"""Why a record is not counted, in words."""


def shown(result: Row) -> RenderableType:
    """All of it that fits on a terminal."""
    return Group(*_parts(result))


def _parts(result: Row) -> Iterator[RenderableType]:
    yield Text(headline(result))
    yield Text(about(result), "dim")
    yield _section("Current → candidate, images (95 % of the intervals contain it)")
    yield _matrix(result)
    yield Text(reviews(result))
    for name, title in (("tenants", "tenant"), ("purposes", "purpose"), ("labels", "label")):
        if any(each["flips"] for each in result[name]):
            yield _section(f"By {title}")
            yield _rows(result[name], title)
    if result["rules"]:
        yield _section("Rules of the candidate: left out, each would change")
        yield _rules(result["rules"])
    if result["samples"]:
        yield _section("To look at (--html and --json have all that were taken)")
        yield _samples(result["samples"])
    yield from map(Text, people(result))
    yield from _notes(result)
    for gate in result["gates"]:
        yield _gate(gate)


def headline(result: Row) -> str:
    """What changes, in a sentence."""
    flips, replayed = result["flips"], result["records"]["replayed"]
    told = ", ".join(f"{_count(flips[f'to_{decision}'])} {words}" for decision, words in BECOMES.items())
    return (
        f"{_count(flips['total'])} of {_whole(replayed / result['sample'])} images would be decided otherwise: {told}."
    )


def about(result: Row) -> str:
    """What was compared, and over which time."""
    current, candidate = result["current"], result["candidate"]
    period = result["period"]
    sample = "" if result["sample"] == 1 else f" A sample of {result['sample']:.3g} of the images, scaled up."
    return (
        f"{current['id']} version {current['version']} → {candidate['id']} version {candidate['version']}, "
        f"on what was decided from {_minute(period['from'])} to {_minute(period['to'])}.{sample}"
    )


def reviews(result: Row) -> str:
    """What the change is for those who review."""
    told = result["reviews"]
    growth = f" ({told['growth']['value']:+.1%})" if told["growth"] else ""
    hours, source = told["hours"], told["seconds_from"]
    by = {
        "option": "as given",
        "people": "the median of people's decisions",
        "default": "assumed: --seconds-per-review",
    }
    return (
        f"Reviews: {_count(told['current'])} → {_count(told['candidate'])}{growth}, "
        f"{hours['value']:+,.1f} hours ({hours['low']:+,.1f} to {hours['high']:+,.1f}) at "
        f"{told['seconds_per_review']:g} s each ({by[source]})."
    )


def people(result: Row) -> Iterator[str]:
    """What people's decisions say of the blocks."""
    told = result["people"]
    if not told["decisions"]:
        yield "Nobody's decisions were compared: --decisions FILE, or --decisions-topic."
        return
    yield f"People decided about {told['compared']:,} of these images; {told['escalated']:,} more were escalated."
    for whose in ("current", "candidate"):
        part = told[whose]
        yield (
            f"  blocks of the {whose}: precision {_share(part['precision'])}, recall {_share(part['recall'])} "
            f"({part['removed']:,} of {part['blocked']:,} removed by people)"
        )
    yield (
        f"  ! Blocked images are seldom reviewed ({told['of_blocked']:,} of {told['compared']:,} here), so that "
        "precision is of the doubtful ones, and recall of what people were shown."
    )


def not_counted(result: Row) -> list[tuple[str, int]]:
    """Why records are not in the matrix, in words, each with how many."""
    records = result["records"]
    found = [(LEFT_OUT.get(name, name), count) for name, count in records["left_out"].items() if count]
    return found + [(f"could not be replayed: {printable(why)}", count) for why, count in records["reasons"].items()]


def _notes(result: Row) -> Iterator[RenderableType]:
    records = result["records"]
    if found := not_counted(result):
        yield _section(f"Not counted, of {records['read']:,} records")
        table = _table("records", "why")
        for why, count in found:
            table.add_row(f"{count:,}", Text(why))
        yield table
    if records["not_verdicts"]:
        yield Text(f"  no verdicts, the first ones: {printable(', '.join(records['not_verdicts']))}")
    if unsigned := result["source"].get("unsigned"):
        yield Text(f"! {unsigned:,} records are signed by nobody: whoever may write to the topics may have.", "yellow")
    same = records["decided_by_current"]
    if same["disagreed"]:
        told = ", ".join(f"{name} {count:,}" for name, count in same["differences"].items())
        yield Text(
            f"! {same['disagreed']:,} of {same['agreed'] + same['disagreed']:,} verdicts of the current policy itself "
            f"are replayed otherwise than they were decided ({told}): do not trust this backtest.",
            "yellow",
        )


def _matrix(result: Row) -> Table:
    table = _table("now ↓  then →", *(each.value for each in DECISIONS))
    table.columns[0].justify = "left"
    for now in DECISIONS:
        cells = [result["matrix"][now.value][then.value] for then in DECISIONS]
        texts = [
            Text(_count(cell) if then is now else _with_interval(cell), STYLES[then] if then is not now else "dim")
            for then, cell in zip(DECISIONS, cells, strict=True)
        ]
        table.add_row(Text(now.value, STYLES[now]), *texts)
    return table


def _rows(rows: Sequence[Row], title: str) -> Table:
    table = _table(title, "images", "differ", *(f"→ {each}" for each in BECOMES))
    table.columns[0].justify, table.columns[0].overflow = "left", "fold"
    wanted = [each for each in rows if each["flips"]]
    for each in wanted[:_FEW]:
        numbers = [each[name] for name in ("images", "flips", *(f"to_{decision}" for decision in BECOMES))]
        table.add_row(Text(printable(each["name"])), *(f"{number:,}" for number in numbers))
    if len(wanted) > _FEW:
        table.add_row(Text(f"… and {len(wanted) - _FEW:,} more", "dim"))
    return table


def _rules(rows: Sequence[Row]) -> Table:
    table = _table("rule", "images", "from what they would be without it")
    table.columns[0].justify = table.columns[2].justify = "left"
    for each in rows[:_FEW]:
        flips = ", ".join(f"{name} {count:,}" for name, count in each["flips"].items())
        table.add_row(Text(each["rule"]), f"{each['images']:,}", Text(flips))
    if len(rows) > _FEW:
        table.add_row(Text(f"… and {len(rows) - _FEW:,} more", "dim"))
    return table


def _samples(strata: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("change", no_wrap=True)
    table.add_column("label", overflow="fold")
    table.add_column("images", justify="right")
    table.add_column("one of them", overflow="fold")
    for each in strata[: 2 * _SAMPLES]:
        table.add_row(
            Text(f"{each['current']} → {each['candidate']}"),
            Text(printable(each["label"] or "–")),
            f"{each['count']:,}",
            Text(printable(reference(each["images"][0])), "dim"),
        )
    return table


def reference(image: Row) -> str:
    """Where the image is."""
    if ref := image["ref"]:
        return f"{ref['store']}://{ref['bucket']}/{ref['key']}"
    return image["url"] or f"subject {image['subject']}"


def _gate(gate: Row) -> Text:
    name, value, note = gate["name"], gate["value"], f" ({gate['note']})" if gate["note"] else ""
    measured = "not measured" if value is None else f"{value:,.4g}"
    mark, style = ("✓", "green") if gate["held"] else ("✗", "red")
    return Text(f"{mark} {name}: {measured}, bound {gate['bound']:g}{note}", style)


def _section(title: str) -> Text:
    return Text(f"\n{title}", "bold")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right")
    if headings[-1] == "why":
        table.columns[-1].justify = "left"
    return table


def _count(interval: Row) -> str:
    return _whole(interval["value"])


def _with_interval(interval: Row) -> str:
    return f"{_whole(interval['value'])} ({_whole(interval['low'])}–{_whole(interval['high'])})"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _share(interval: Row | None) -> str:
    if interval is None:
        return "not known"
    return f"{interval['value']:.1%} ({interval['low']:.1%} to {interval['high']:.1%})"


def _minute(moment: str | None) -> str:
    return moment[:16].replace("T", " ") + "Z" if moment else "–"


def as_csv(result: Row) -> str:
    """A row for each cell of each matrix: over all, by tenant, purpose and label; and for each rule left out."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["table", "name", "current", "candidate", "images", "low", "high"])
    names = [each.value for each in DECISIONS]
    for now in names:
        for then in names:
            cell = result["matrix"][now][then]
            writer.writerow(["all", "", now, then, cell["value"], cell["low"], cell["high"]])
    for table in ("tenants", "purposes", "labels"):
        for row in result[table]:
            for now, cells in zip(names, row["matrix"], strict=True):
                for then, count in zip(names, cells, strict=True):
                    if count:
                        writer.writerow([table.removesuffix("s"), _inert(row["name"]), now, then, count, "", ""])
    for row in result["rules"]:
        for flip, count in row["flips"].items():
            writer.writerow(["without_rule", row["rule"], *flip.split("→"), count, "", ""])
    return file.getvalue()


def _inert(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
