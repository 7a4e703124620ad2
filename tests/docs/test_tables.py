"""Tables of the pages are tables where they are shown."""

import re
from itertools import groupby
from pathlib import Path

import pytest

from tests.rig.replica import ROOT

PAGES = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "helm").rglob("*.md")]


def tables(text: str) -> list[list[str]]:
    """Lines that stand together and begin with a bar, outside examples."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    groups = groupby(prose.splitlines(), lambda line: line.startswith("|"))
    return [list(lines) for is_table, lines in groups if is_table]


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
