"""What tests of speed rest on."""

from collections.abc import Callable

from tests.rig.speed import calls_of, is_quick, repeated


def of_the_square(text: str) -> int:
    return sum(len(text[at:]) for at in range(0, len(text), 100))


def test_work_of_the_square_is_not_quick_on_any_machine() -> None:
    """
    However long it may take: a quarter of the size takes a sixteenth.
    """
    assert not is_quick(of_the_square, lambda size: repeated("a", size), 1e-6)


def test_work_in_proportion_may_take_ten_times_as_long_and_no_longer() -> None:
    """
    As on a machine that is slow; a bound of a thousandth is missed by more.
    """
    taken: list[int] = []

    def steady(text: str) -> None:
        taken.append(sum(1 for _ in text))

    assert is_quick(steady, lambda size: repeated("a", size), 10.0)
    assert not is_quick(steady, lambda size: repeated("a", size), 1e-4)


def test_calls_are_counted() -> None:
    """
    Of Python and of C, those within others too.
    """

    def two() -> None:
        len("")
        abs(1)

    nothing: Callable[[], None] = lambda: None  # noqa: E731

    assert calls_of(two) - calls_of(nothing) == 2
