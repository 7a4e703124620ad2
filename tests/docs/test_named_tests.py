"""Documents whose statements name a test that shows them: the tests are there."""

import pytest

from tests.docs.named_tests import missing, named_in
from tests.rig.replica import ROOT

LEAST = {"guarantees.md": 40, "licences.md": 1, "scan.md": 9, "security.md": 40, "vendor.md": 30}
"""Documents that name tests, and how many at least."""


def test_every_document_that_names_tests_is_looked_at() -> None:
    """
    Others that begin to do so must be added here.
    """
    naming = {page.name for page in (ROOT / "docs").glob("*.md") if named_in(page.read_text())}

    assert naming == set(LEAST)


@pytest.mark.parametrize("page", LEAST)
def test_every_test_that_is_named_exists(page: str) -> None:
    """
    By its path, and by its name where one of a file's is meant.
    """
    named = named_in((ROOT / "docs" / page).read_text())

    assert missing(named) == []
    assert len(named) >= LEAST[page]


def test_what_is_not_there_is_found() -> None:
    """
    A file, a test of a file, and no more than those.
    """
    text = (
        "`tests/nowhere.py`, `tests/nowhere.py::test_it`, `tests/docs/test_named_tests.py::test_nothing`, "
        "`tests/docs/test_named_tests.py`, `tests/docs/test_named_tests.py::test_what_is_not_there_is_found`"
    )

    assert missing(named_in(text)) == [
        "tests/nowhere.py", "tests/nowhere.py::test_it", "tests/docs/test_named_tests.py::test_nothing",
    ]  # fmt: skip
