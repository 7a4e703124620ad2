import pytest

from consumer.locations import ByObject
from consumer.moderation.copies import Copies, Copy


def copy(sha256: str) -> Copy:
    return Copy(ByObject("temporary", f"{sha256}.png", None), 100.0, sha256, 1)


@pytest.mark.parametrize(
    ("judged", "answers", "known"),
    [
        (["a"], 1, "a"),
        (["a", "a"], 2, "a"),
        (["a", "b"], 2, None),
        (["a"], 2, None),  # the other answer is about what the provider fetched itself
        ([], 1, None),
        ([], 0, None),
    ],
)
def test_bytes_are_known_only_where_every_answer_is_about_them(
    judged: list[str], answers: int, known: str | None
) -> None:
    """
    A digest in a verdict is that of what all of its services have judged.
    """
    copies = Copies(judged=[copy(each) for each in judged])

    found = copies.known(answers)

    assert (found.sha256 if found else None) == known


def test_two_versions_do_not_go_together() -> None:
    """
    A copy is asked about where it is of the bytes that were judged; where that came too late it is seen.
    """
    copies = Copies(judged=[copy("one")])
    assert copies.goes_with(copy("one"))
    assert not copies.goes_with(copy("two"))
    assert not copies.are_mixed

    copies.judged.append(copy("two"))
    assert copies.are_mixed
