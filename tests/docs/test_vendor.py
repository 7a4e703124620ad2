"""docs/vendor.md: the tests that it names exist."""

import re

from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "vendor.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
UNTESTED = {"the account grants the role AliyunCIPScanOSSRole first", "better above 200 × 200 px"}
"""What nobody here can try, and what nothing is done about."""


def test_every_test_that_is_named_exists() -> None:
    """
    By its path, and by its name where one of a file's is meant.
    """
    named = NAMED.findall(PAGE)
    missing = [
        (path, name)
        for path, name in named
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]

    assert missing == []
    assert len(named) >= 30


def test_every_statement_has_its_test() -> None:
    """
    But for those that are listed here.
    """
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "the page says" not in line]

    assert {row[0].removeprefix("| ") for row in rows if not NAMED.search(row[-1])} == UNTESTED
