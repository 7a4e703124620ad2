"""Whose fault is an exception that nobody foresaw?"""

from consumer.records import SourceId
from consumer.unexpected import IN_A_ROW, MAX_DELAY, OTHERS_JUDGED, UnexpectedErrors

BAD = SourceId("bad")


def image(number: int) -> SourceId:
    return SourceId(f"image-{number}")


def test_an_error_is_the_images_own_once_twenty_others_were_judged() -> None:
    """
    Those that were judged before its first error do not count.
    """
    errors = UnexpectedErrors()
    for number in range(OTHERS_JUDGED):
        errors.judged(image(number))

    first = errors.met(BAD, "KeyError", 0.0)
    for number in range(OTHERS_JUDGED - 1):
        errors.judged(image(number))
    second = errors.met(BAD, "KeyError", 1.0)
    errors.judged(image(99))
    third = errors.met(BAD, "KeyError", 3.0)

    assert (first, second, third) == (1.0, 2.0, None)
    assert errors.held == 0


def test_a_held_image_is_tried_less_and_less_often() -> None:
    """
    Twice as long each time, up to a minute, for as long as nothing else is judged.
    """
    errors = UnexpectedErrors()

    delays = [errors.met(BAD, "KeyError", float(number)) for number in range(2_000)]

    assert delays[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MAX_DELAY, MAX_DELAY]
    assert set(delays[8:]) == {MAX_DELAY}


def test_one_image_alone_halts_nothing() -> None:
    """
    However often it is tried: only different images in a row do.
    """
    errors = UnexpectedErrors()
    for number in range(100):
        errors.met(BAD, "KeyError", float(number))

    assert not errors.is_halted
    assert errors.wait(100.0) == 0.0
    assert errors.reasons_not_ready() == []
    [reason] = errors.degraded(90.0)
    assert reason.startswith("internal: 1 images that met an unexpected error (KeyError) are held for up to 90 s")


def test_twenty_images_in_a_row_halt_until_one_is_judged() -> None:
    """
    Then one image in an interval is tried; the first that is judged lets all go on.
    """
    errors = UnexpectedErrors(trial_interval=1.0)
    for number in range(IN_A_ROW):
        assert not errors.is_halted
        errors.met(image(number), "KeyError", 0.0)

    halted = errors.reasons_not_ready()
    first = errors.wait(10.0)
    errors.tried(10.0)
    second, third = errors.wait(10.25), errors.wait(11.0)
    errors.judged(image(0))

    assert halted[0].startswith("internal: 20 images in a row met an unexpected error (KeyError)")
    assert errors.reasons_not_ready() == []
    assert (first, second, third) == (0.0, 0.75, 0.0)
    assert errors.wait(10.25) == 0.0
    assert errors.held == IN_A_ROW - 1


def test_images_that_went_elsewhere_count_no_more() -> None:
    """
    A partition that another replica has got takes its held images with it, and the halt that they made.
    """
    errors = UnexpectedErrors()
    for number in range(IN_A_ROW):
        errors.met(image(number), "KeyError", 0.0)

    errors.forget(image(0))

    assert not errors.is_halted
    assert errors.held == IN_A_ROW - 1


def test_an_error_that_lasts_is_the_images_own_unless_all_of_them_meet_one() -> None:
    """
    Where others wait for it, and few come that could be judged: but not while it looks like the service's.
    """
    alone, among_many = UnexpectedErrors(longest=60.0), UnexpectedErrors(longest=60.0)
    for number in range(IN_A_ROW):
        among_many.met(image(number), "KeyError", 0.0)

    assert alone.met(BAD, "KeyError", 0.0) is not None
    assert alone.met(BAD, "KeyError", 59.0) is not None
    assert alone.met(BAD, "KeyError", 60.0) is None
    assert alone.held == 0
    assert among_many.met(image(0), "KeyError", 60.0) is not None
    assert UnexpectedErrors(longest=60.0).met(BAD, "KeyError", 0.0, may_end=False) is not None
