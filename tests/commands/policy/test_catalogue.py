"""The catalogue of labels, and the page that it is made from, whose shape `tests/policy/label_page.txt` has."""

import json
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from consumer.commands.policy import cataloguing
from consumer.vendor_facts.aliyun import CATALOGUE, LISTED
from consumer.vendor_facts.catalogue import Catalogue, read, written
from consumer.vendor_facts.label_page import Unread, read_page
from tests.commands.cli import command
from tests.rig.replica import ROOT

PAGE = ROOT / "tests" / "policy" / "label_page.txt"
TEXT = PAGE.read_text()
OF_THE_PAGE = Catalogue(
    updated=date(2026, 4, 7),
    services={
        "baselineCheck_global": {
            "pornographic_adultContent": True,
            "political_politicalFigure_1": True,
            "pt_custom_02": True,
            "pt_brandNew": False,
        }
    },
    shared={"nonLabel": False, "nonLabel_lib": True},
)
NO_ROW = "stands in a table of labels, and is no label with"
HIGH = "0 to 100. A higher score indicates a higher confidence level."


def test_a_page_is_read_as_it_is_saved() -> None:
    """
    Its cells stand side by side: a label that ends in a digit stands before the 0 of its range.
    """
    assert read_page(TEXT) == OF_THE_PAGE


@pytest.mark.parametrize("between", ["\t", " | ", "  "])
def test_cells_may_be_kept_apart(between: str) -> None:
    """
    As other browsers and converters save a table.
    """
    kept_apart = TEXT.replace("0 to 100.", f"{between}0 to 100.").replace("This field", f"{between}This field")

    assert read_page(kept_apart) == OF_THE_PAGE


def test_a_table_in_markdown_is_read() -> None:
    """
    With the line under its head.
    """
    head = "Label valueConfidence score range (confidence)Description\n"
    table = TEXT.replace(
        head, "| Label value | Confidence score range (confidence) | Description |\n| :-- | --- | --- |\n"
    )

    assert read_page(table) == OF_THE_PAGE


def test_a_service_more_is_a_list_more() -> None:
    """
    The page may come to list another service's labels.
    """
    title = "Table 5. Labels supported by detection (aigcDetector_global)"
    table = f"{title}\n\nLabel valueConfidence score range\naigc{HIGH}\n\n"

    found = read_page(TEXT.replace("If the system", f"{table}If the system"))

    assert found.services == {**OF_THE_PAGE.services, "aigcDetector_global": {"aigc": True}}


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("Last Updated:Apr 07, 2026", "", None, "has no line `Last Updated:Mar 03, 2026`"),
        ("Apr 07", "Apr 31", 5, "Apr 31, 2026 is no day"),
        (f"pt_custom_02{HIGH}", "pt_custom_0250 to 90.", 18, NO_ROW),
        (f"pt_custom_02{HIGH}", "pt_custom_02not known.", 18, NO_ROW),
        ("tii is an abbreviation for", "Text in image is", 20, NO_ROW),
        ("pt_custom_02", "political_politicalFigure_1", 18, "lists political_politicalFigure_1 again"),
        ("check (baselineCheck_global)", "check (baselineCheck)", None, "has no table of the labels of"),
        ("nonLabelThis field is not present.", "nothing0 to 100.", None, "has no row of nonLabel: is it the"),
        (TEXT[TEXT.index("If the system") :], "", None, "has no row of nonLabel and of nonLabel_lib"),
    ],
)  # fmt: skip
def test_a_page_of_another_form_is_refused(before: str, after: str, line: int | None, why: str) -> None:
    """
    With the line: a label that was overlooked would be missing in silence.
    """
    assert before in TEXT

    with pytest.raises(Unread) as refused:
        read_page(TEXT.replace(before, after))

    assert (refused.value.line, str(refused.value)[: len(why)]) == (line, why)


def test_the_catalogue_is_as_it_would_be_written() -> None:
    """
    By the command: nobody edits it. A line a label, so that a change to it can be read.
    """
    file = files("consumer.vendor_facts").joinpath("labels.json").read_bytes()

    assert file == written(read(file))
    assert len(file.splitlines()) > len(LISTED["baselineCheck_global"])


def test_each_change_is_told() -> None:
    """
    What is new, what has a confidence or has none any more, and what went.
    """
    before = OF_THE_PAGE._replace(services={"baselineCheck_global": {"pt_custom_02": False, "pt_old": True}}, shared={})

    told = [(each.kind, each.service, each.label) for each in cataloguing.changes(before, OF_THE_PAGE)]

    assert told == [
        ("added", "baselineCheck_global", "pornographic_adultContent"),
        ("added", "baselineCheck_global", "political_politicalFigure_1"),
        ("changed", "baselineCheck_global", "pt_custom_02"),
        ("added", "baselineCheck_global", "pt_brandNew"),
        ("added", None, "nonLabel"),
        ("added", None, "nonLabel_lib"),
        ("removed", "baselineCheck_global", "pt_old"),
    ]


async def test_the_catalogue_is_renewed_by_a_command(tmp_path: Path) -> None:
    """
    1 where something is different, 0 where it was written; what was written is what the page lists.
    """
    target = tmp_path / "labels.json"

    looked = await command("policy", "catalogue", str(PAGE))
    wrote = await command("policy", "catalogue", str(PAGE), "--json", "--write", str(target))

    assert looked.status == 1
    assert looked.output.splitlines()[0] == "+ pt_brandNew (baselineCheck_global)"
    assert looked.output.splitlines()[-1] == (
        "the page of 2026-04-07 lists 4 labels of baselineCheck_global: 1 added, 70 removed"
    )
    assert wrote.status == 0
    rows = [json.loads(line) for line in wrote.output.splitlines()]
    assert rows[0] == {
        "kind": "added", "service": "baselineCheck_global", "label": "pt_brandNew", "has_confidence": False,
    }  # fmt: skip
    assert read(target.read_bytes()) == OF_THE_PAGE


async def test_a_page_that_says_the_same_is_no_change(tmp_path: Path) -> None:
    """
    Exit 0; programs get no line.
    """
    page = tmp_path / "page.txt"
    rows = "\n".join(f"{label}{HIGH}" for label in CATALOGUE.services["baselineCheck_global"])
    head, _, rest = TEXT.partition("pornographic_adultContent0")
    page.write_text(head.replace("Apr 07", "Mar 03") + rows + "\n" + rest[rest.index("tii is") :])

    looked = await command("policy", "catalogue", str(page))
    asked = await command("policy", "catalogue", "--json", str(page))

    assert (looked.status, looked.output) == (
        0,
        "the page of 2026-03-03 lists 73 labels of baselineCheck_global: as the catalogue of 2026-03-03 does\n",
    )
    assert (asked.status, asked.output) == (0, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "page.txt: cannot be read: No such file or directory"),
        (b"\xff\xfe", "page.txt: is no text in UTF-8: save the page as text"),
        (TEXT.replace("2026", "2025").encode(), "page.txt: is of 2025-04-07, and the catalogue of 2026-03-03"),
        (TEXT.replace("pt_custom_02", "pt custom").encode(), "page.txt:18: stands in a table of labels"),
    ],
)  # fmt: skip
async def test_a_page_that_cannot_be_read_is_named(tmp_path: Path, text: bytes | None, said: str) -> None:
    """
    Exit 2, and nothing is written.
    """
    page, target = tmp_path / "page.txt", tmp_path / "labels.json"
    if text is not None:
        page.write_bytes(text)

    ended = await command("policy", "catalogue", str(page), "--write", str(target))

    assert (ended.status, ended.output, target.exists()) == (2, "", False)
    assert said in ended.errors
