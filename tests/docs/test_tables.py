"""Tables of the pages are tables where they are shown."""

import re
import tomllib
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from tests.rig.replica import ROOT

PAGES = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "helm").rglob("*.md")]


def tables(text: str) -> list[list[str]]:
    """Lines that stand together and begin with a bar, outside examples."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    groups = groupby(prose.splitlines(), lambda line: line.startswith("|"))
    return [list(lines) for is_table, lines in groups if is_table]


MAY_REPEAT = {"docs/performance.md", "docs/redecide.md"}
"""Pages of figures, where two lines of a table may be about one thing."""


def subject(line: str) -> str:
    """What the first cell says: a metric, a setting, an alert, a reason, a place in the code."""
    return re.split(r"(?<!\\)\|", line)[1].strip()


def repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(filter(None, names)).items() if times > 1]


def cells(line: str) -> int:
    """How many cells a line has. A bar in one is written with a backslash, in code as well."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_line_of_a_table_is_in_one(page: Path) -> None:
    """
    Each has a heading with a rule below it, and as many cells: else it is shown as text, or a cell is left out.
    """
    for heading, rule, *lines in tables(page.read_text()):
        assert re.fullmatch(r"\|(:?-+:?\|)+", rule), heading
        assert [line for line in (heading, *lines) if cells(line) != cells(rule)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if str(page.relative_to(ROOT)) not in MAY_REPEAT], ids=str)
def test_no_table_has_a_row_twice(page: Path) -> None:
    """
    Of two rows about one thing one is read, and the other one is forgotten when it changes.
    """
    for _, _, *lines in tables(page.read_text()):
        assert repeated([subject(line) for line in lines]) == []


def test_no_metric_or_alert_has_two_rows_on_the_page_for_operators() -> None:
    """
    Also where they would stand in different tables. A setting may: by its trade-off, and where sizes are worked out.
    """
    text = (ROOT / "docs" / "operations.md").read_text()
    subjects = [subject(line) for _, _, *lines in tables(text) for line in lines]
    metrics = [name for each in subjects for name in re.findall(r"`(moderation_\w+)", each)]
    alerts = re.findall(r"alert: (\w+)", text)

    assert min(len(metrics), len(alerts)) >= 10
    assert repeated(metrics) + repeated(alerts) == []


def test_no_numbered_list_says_a_step_twice() -> None:
    """
    Steps are counted up, each once.
    """
    for page in PAGES:
        steps = [int(number) for number in re.findall(r"^(\d+)\. ", page.read_text(), re.MULTILINE)]
        assert all(after in (1, before + 1) for before, after in pairwise(steps)), page


def test_no_contract_names_a_module_twice() -> None:
    """
    Nor do the groups of a layer: one of two would be forgotten when a module moves.
    """
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        for listed in (value for value in contract.values() if isinstance(value, list)):
            assert repeated([name.strip() for line in listed for name in re.split("[|:]", line)]) == [], contract[
                "name"
            ]
