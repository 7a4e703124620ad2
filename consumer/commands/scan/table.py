"""What a scan has come to, for people: a table, the strictest first, and a sentence. Texts come from strangers."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from consumer.commands.amounts import calls, cost
from consumer.commands.scan.items import printable
from consumer.commands.scan.lines import Result
from consumer.commands.scan.progress import STYLES
from consumer.commands.scan.tally import Tally
from consumer.records import Decision

MOST_ROWS = 200
FEW = 25
"""Images of which those that pass have a row, too: among more of them nobody looks for those."""


def table(tally: Tally) -> Table:
    """A row for each image, or each that does not pass, the strictest first; the last row says what there is more."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("decision", "level", "found"):
        shown.add_column(heading, no_wrap=True)
    shown.add_column("image", overflow="fold")
    rows = [each for each in tally.strictest[:MOST_ROWS] if tally.told_of <= FEW or each.decision is not Decision.PASS]
    for result in rows:
        shown.add_row(*_row(result))
    if more := _more(tally, rows):
        shown.add_row("…", "", "", Text(more, "dim"))
    return shown


def _more(tally: Tally, rows: Sequence[Result]) -> str:
    left_out = tally.decisions - Counter(result.decision for result in rows)
    told = ", ".join(f"{left_out[each]:,} {each}" for each in STYLES if left_out[each])
    return told and f"and {told} more: --json FILE has all"


def _row(result: Result) -> tuple[Text, ...]:
    return (
        Text(result.decision, STYLES[result.decision]),
        Text(printable(result.line["risk_level"] or "–")),
        Text(found(result)),
        Text(printable(result.line["image"])),
    )


def found(result: Result) -> str:
    """The strictest label with its confidence in percent, or why the image could not be judged."""
    if result.error:
        return printable(f"not judged: {result.error}")
    finding = result.finding
    return "–" if finding is None else labelled(finding)


def labelled(finding: Mapping[str, object]) -> str:
    """A label with its confidence in percent, where there is one."""
    label, confidence = str(finding["label"]), finding["confidence"]
    return printable(f"{label} {confidence:.0f} %" if isinstance(confidence, int | float) else label)


def summary(tally: Tally, seconds: float, price: float | None, passed_over: Mapping[str, int]) -> str:
    """One sentence on the whole, and one on what was passed over."""
    decisions = ", ".join(f"{tally.decisions[each]:,} {each}" for each in STYLES)
    parts = [
        f"{tally.told_of:,} of {tally.total:,} images in {seconds:.1f} s: {decisions}",
        f"{tally.not_judged:,} of them could not be judged" if tally.not_judged else "",
        f"{tally.from_state:,} from the state" if tally.from_state else "",
        f"{calls(tally.billed_calls)} billed{cost(tally.billed_calls, price)}",
    ]
    return f"{'; '.join(filter(None, parts))}.{told_passed_over(passed_over)}"


def told_passed_over(counts: Mapping[str, int]) -> str:
    """A sentence on what is not judged, with a blank before it; empty where there is nothing."""
    told = ", ".join(f"{what} ({count:,})" for what, count in counts.items() if count)
    return f" Passed over: {told}." if told else ""
