"""
What is reported of a scenario.
"""

import orjson
import pytest

from bench.chaos.report import Check, Result, Standing, at_least, at_most, none_of, settings


@pytest.mark.parametrize(
    "check, holds",
    [
        (none_of("lost", set()), True),
        (none_of("lost", {"1"}), False),
        (none_of("lost", 1), False),
        (at_most("ratio", 1.2, 1.2), True),
        (at_most("ratio", 1.2001, 1.2), False),
        (at_least("share", 0.98, 0.98), True),
        (at_least("share", 0.9799, 0.98), False),
    ],
)
def test_a_check_holds_up_to_its_threshold(check: Check, holds: bool) -> None:
    """
    The threshold itself still holds.
    """
    assert check.holds is holds


def test_one_check_that_does_not_hold_fails_the_scenario() -> None:
    """
    All must hold.
    """
    good, bad = none_of("lost", 0), none_of("billed twice", 3)

    assert Result("kill", 1, [good]).standing is Standing.OK
    assert Result("kill", 1, [good, bad]).standing is Standing.NOT_OK


def test_a_scenario_that_shows_nothing_is_not_ok() -> None:
    """
    Without checks, or ended early, nothing was shown.
    """
    assert Result("kill", 1).standing is Standing.NOT_OK
    assert Result("kill", 1, [none_of("lost", 0)], reason="it took too long").standing is Standing.NOT_OK


def test_text_and_json_have_figure_and_threshold() -> None:
    """
    Both forms name the seed, what was seen and what was allowed.
    """
    result = Result("slow", 7, [at_most("p99 with ÷ without", 1.31, 1.2)], {"p99, seconds": {"with": 0.59}}, 12.0)

    text, json = result.to_text(), orjson.loads(orjson.dumps(result.to_json()))

    assert "NOT OK" in text
    assert "seed 7" in text
    assert "1.31   (≤ 1.2)" in text
    assert "with 0.59" in text
    assert json["checks"] == [{"what": "p99 with ÷ without", "seen": 1.31, "bound": "≤ 1.2", "holds": False}]


def test_settings_stand_beside_what_is_shipped() -> None:
    """
    Who reads the report sees how far the runs are from the defaults.
    """
    assert settings({"session_timeout": 6.0}) == {"session_timeout": {"here": 6.0, "shipped": 30.0}}
