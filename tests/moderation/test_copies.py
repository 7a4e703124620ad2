import pytest

from consumer.moderation.copies import Copies, Copy
from consumer.records import ByObject


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


def test_copies_of_another_version_are_forgotten() -> None:
    """
    Whichever region has them: the pictures of two files are never answered about together.
    """
    copies = Copies()
    copies.add("a", Copy(ByObject("b", "k", None), 10.0, "one", 1))
    copies.add("b", Copy(ByObject("b", "l", None), 10.0, "two", 1), 1)

    copies.keep_only("two")

    assert copies.in_region("a", 0.0) is None
    assert copies.in_region("b", 0.0, 1) is not None
