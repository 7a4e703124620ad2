"""Documents whose statements name a test that shows them: the tests are there."""

import pytest

from tests.docs.named_tests import Named, named_in
from tests.rig.replica import ROOT

PAGES = ("guarantees.md", "security.md", "vendor.md", "scan.md")
"""Documents in which tests are what a statement rests on."""
FEWEST = 9


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_every_test_that_is_named_exists(page: str) -> None:
    """
    By its path, and by its name where one of a file's is meant.
    """
    named = list(named_in((ROOT / "docs" / page).read_text()))

    assert [each for each in named if not each.exists] == []
    assert page not in PAGES or len(named) >= FEWEST


def test_what_is_not_there_is_found() -> None:
    """
    A file, a test of a file, a test of the file before it, and no more than those.
    """
    here = "tests/docs/test_named_tests.py"
    text = (
        f"`tests/nowhere.py`, `tests/nowhere.py::test_it`, `{here}`, `{here}::test_nothing`, `…test_what_is_n…`, "
        f"`…test_none_begins…`, `{here}::test_what_is_not_there_is_found`, `make ARGS=tests/gone.py`"
    )

    assert [each for each in named_in(text) if not each.exists] == [
        Named("tests/nowhere.py"), Named("tests/nowhere.py", "test_it"), Named(here, "test_nothing"),
        Named(here, "test_none_begins", True), Named("tests/gone.py"),
    ]  # fmt: skip
