"""
What a kill left behind.
"""

from bench.casualties import casualties


def test_what_was_lost_or_done_twice_is_counted() -> None:
    """
    An upload without outcome is lost; outcomes and billed calls count beyond the first of each.
    """
    found = casualties([b"a", b"b", b"c"], [b"a", b"a", b"a", b"b"], ["url-a", "url-a", "url-b"])

    assert found == (1, 2, 1)


def test_a_clean_run_has_no_casualties() -> None:
    """
    One outcome and one call for each upload.
    """
    assert casualties([b"a"], [b"a"], ["url-a"]) == (0, 0, 0)
