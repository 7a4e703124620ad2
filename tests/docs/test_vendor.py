"""docs/vendor.md: each statement has its test."""

from consumer.vendor_facts.aliyun import OSS_ROLE
from tests.docs.named_tests import named_in
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "vendor.md").read_text()
UNTESTED = {"better above 200 × 200 px"}
"""What nothing is done about."""


def test_every_statement_has_its_test() -> None:
    """
    But for those that are listed here.
    """
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "the page says" not in line]

    assert {row[0].removeprefix("| ") for row in rows if not [*named_in(row[-1])]} == UNTESTED


def test_the_runbook_says_what_the_page_advises_after_a_time_out() -> None:
    """
    OSS authorisation, what it needs, and what there is beside it.
    """
    runbook = (ROOT / "docs" / "operations.md").read_text()
    section = runbook.partition("### Images that the provider fetches")[2].partition("\n### ")[0]

    [row] = [line for line in section.splitlines() if line.startswith("| `405` of a URL")]
    assert all(each in row for each in ("OSS authorisation", "`via: oss`", "`via: upload`", "`fallback: upload`"))
    assert OSS_ROLE in section
