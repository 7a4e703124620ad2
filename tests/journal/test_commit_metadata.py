import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.journal.commit_metadata import CommitMetadata, must_be_read

OURS, ANOTHER = "0123abcd", "ffffffff"


@given(st.floats(0, 4e9), st.from_regex("[0-9a-f]{8}", fullmatch=True))
def test_a_mark_is_read_as_it_was_written(journal_from: float, owner: str) -> None:
    """
    To the millisecond, and never later than it was: a later one would leave outcomes unread.
    """
    read = CommitMetadata.read(str(CommitMetadata(journal_from, owner)))

    assert read is not None
    assert read.owner == owner
    assert journal_from - 0.002 <= read.journal_from <= journal_from


@pytest.mark.parametrize(
    "foreign",
    ["", "mc1", "mc2 1763632801.123 0123abcd", "mc1 1763632801.123 0123abc", "mc1 -1.000 0123abcd", "x" * 4096,
     "mc1 1763632801.123 0123abcd\n", "mc1 nan 0123abcd", "AAAAAgAAAAE=", "mc1 1763632801.12 0123abcd"],
)  # fmt: skip
def test_what_is_not_ours_is_no_mark(foreign: str) -> None:
    """
    Foreign, damaged and cut metadata tells nothing.
    """
    assert CommitMetadata.read(foreign) is None


def test_nothing_is_read_where_nobody_else_has_begun_anything() -> None:
    """
    After a commit of our own we know what was published since, unless we know that we do not.
    """
    assert must_be_read(CommitMetadata(1_000.5, OURS), OURS) is None
    assert must_be_read(CommitMetadata(1_000.5, ANOTHER), OURS) == 1_000.5
    assert must_be_read(CommitMetadata(1_000.5, OURS), None) == 1_000.5
