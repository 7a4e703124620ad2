"""docs/scan.md: every option of the command has its word, and none is made up."""

import re

from typer.main import get_command

from consumer.cli import app
from consumer.commands.scan.outputs import MOST_WAITING
from consumer.commands.scan.page import MOST_CARDS, MOST_PICTURES
from consumer.commands.scan.table import FEW, MOST_ROWS
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "scan.md").read_text()
COMMAND = get_command(app).commands["scan"]  # type: ignore[attr-defined]
OPTIONS = {name for each in COMMAND.params for name in each.opts if name.startswith("--")}


def test_every_option_is_explained_and_none_is_made_up() -> None:
    """
    The page is what one reads before one pays.
    """
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", PAGE)) == OPTIONS - {"--help"}


def test_its_numbers_are_those_of_the_code() -> None:
    """
    How many rows, cards, pictures and waiting lines there are at the most.
    """
    assert f"The table has {MOST_ROWS} rows at the most, and of more than {FEW} images" in " ".join(PAGE.split())
    assert (
        f"The page has the {MOST_CARDS:,} strictest results, and pictures of the {MOST_PICTURES:,} strictest"
        in " ".join(PAGE.split())
    )
    assert f"until {MOST_WAITING:,} lines wait for it" in " ".join(PAGE.split())


def test_links_lead_somewhere() -> None:
    """
    To pages that are there.
    """
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if not link.startswith("https:")]

    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
