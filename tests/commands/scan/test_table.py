"""What a terminal shows of a scan."""

from io import StringIO
from typing import Any

from rich.console import Console

from consumer.commands.amounts import duration
from consumer.commands.pages import template
from consumer.commands.scan.progress import STYLES, watched
from consumer.commands.scan.table import MOST_ROWS, summary, table
from consumer.commands.scan.tally import Tally
from consumer.records import Decision
from tests.commands.scan.test_page import HOSTILE, result


def tallied(*results: Any, total: int = 1_000) -> Tally:
    tally = Tally(total, MOST_ROWS)
    for each in results:
        tally.told(each)
    return tally


def shown(tally: Tally, width: int = 100) -> list[str]:
    console = Console(file=StringIO(), width=width, highlight=False)
    console.print(table(tally))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines()


def test_the_strictest_stands_first_with_its_label() -> None:
    """
    An image that could not be judged says why in the label's place.
    """
    error = {"class": "fetch", "code": "not_found"}
    lines = shown(
        tallied(
            result("c.png", decision="pass", risk_level="none", findings=[]),
            result("b.png", decision="review", risk_level=None, findings=[], error=error),
            result("a.png"),
        )
    )

    assert [line.split() for line in lines] == [
        ["decision", "level", "found", "image"],
        ["block", "high", "violent_explosion", "97", "%", "a.png"],
        ["review", "–", "not", "judged:", "fetch", "not_found", "b.png"],
        ["pass", "none", "–", "c.png"],
    ]


def test_of_many_images_those_that_pass_are_counted() -> None:
    """
    The table has what one looks for, and ends with what there is more.
    """
    passed = [result(f"{number}.png", decision="pass", findings=[]) for number in range(50)]
    lines = shown(tallied(*passed, result("a.png")))

    assert [line.split()[0] for line in lines] == ["decision", "block", "…"]
    assert "and 50 pass more: --json FILE has all" in lines[-1]


def test_a_table_has_no_more_than_one_looks_through() -> None:
    """
    The strictest, and how many others there are.
    """
    lines = shown(tallied(*(result(f"{number}.png") for number in range(MOST_ROWS + 50))))

    assert "and 50 block more: --json FILE has all" in lines[-1]
    assert len(lines) == MOST_ROWS + 2


def test_names_cannot_write_on_the_terminal() -> None:
    """
    Escapes, line breaks and what turns a line around are shown as what they are; brackets are no markup.
    """
    lines = shown(tallied(*(result(name, name) for name in (*HOSTILE, "[red]a[/red]", "\ud800", "\r"))), width=300)

    text = "\n".join(lines)
    assert len(lines) == 1 + len(HOSTILE) + 3
    assert all(each.isprintable() or each == "\n" for each in text)
    assert "[red]a[/red]" in text
    assert r"\x1b[31m" in text


def test_the_summary_has_what_it_cost() -> None:
    """
    Of what this scan has paid for, and not of what an earlier one has.
    """
    tally = tallied(result("a.png"), result("b.png"), total=3)

    told = summary(tally, 1.25, 1.5, {"links to folders": 2})

    assert told == (
        "2 of 3 images in 1.2 s: 2 block, 0 review, 0 pass; 2 calls billed = 0.00. Passed over: links to folders (2)."
    )


def test_every_decision_has_its_colour() -> None:
    """
    Tables and pages have a line for each.
    """
    assert set(STYLES) == set(Decision)
    page = template("consumer.commands.scan", "page.html")
    assert [each for each in Decision if f".card.{each.value} " not in page or f"--{each.value}:" not in page] == []


def test_progress_says_how_far_it_is_and_what_it_costs() -> None:
    """
    On a terminal; elsewhere there is nothing of it.
    """
    terminal = Console(file=StringIO(), width=120, force_terminal=True, highlight=False)
    elsewhere = Console(file=StringIO())
    for console in (terminal, elsewhere):
        with watched(console, 2, 500.0, hidden=False) as watching:
            watching.told(result("a.png"))
            watching.told(result("b.png"))

    text: str = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "2/2" in text
    assert "2 calls billed = 1.00" in text
    assert elsewhere.file.getvalue() == ""  # type: ignore[attr-defined]


def test_a_time_is_said_in_two_units() -> None:
    """
    As people say it.
    """
    assert [duration(each) for each in (0.2, 59.4, 61, 3_599, 7_322)] == [
        "less than a second", "59 s", "1 min 1 s", "59 min 59 s", "2 h 2 min",
    ]  # fmt: skip
