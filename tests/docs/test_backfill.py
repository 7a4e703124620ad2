"""docs/backfill.md: every option and every column has its word, and none is made up."""

import re

from typer.main import get_command

from consumer.cli import app
from consumer.commands.backfill.backfilling import MOST_PROBLEMS
from consumer.commands.backfill.rows import COLUMNS
from consumer.commands.backfill.uploads import HEADER
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "backfill.md").read_text()
COMMAND = get_command(app).commands["backfill"]  # type: ignore[attr-defined]
OPTIONS = {name for each in COMMAND.params for name in each.opts if name.startswith("--")}


def test_every_option_is_explained_and_none_is_made_up() -> None:
    """
    The page is what one reads before one pays.
    """
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", PAGE)) == OPTIONS - {"--help"}


def test_every_column_is_explained_and_none_is_made_up() -> None:
    """
    In the table of names.
    """
    [table] = re.findall(r"\| name \| meaning \|\n(.*?)\n\n", PAGE, re.DOTALL)
    named = [row.split("|")[1] for row in table.splitlines()[1:]]

    assert sorted(name for cell in named for name in re.findall(r"`([a-z0-9_]+)`", cell)) == sorted(COLUMNS)


def test_its_numbers_and_names_are_those_of_the_code() -> None:
    """
    How many problems are told, and the header.
    """
    assert f"up to {MOST_PROBLEMS:,} of them" in PAGE
    assert f"a header `{HEADER}`" in PAGE
