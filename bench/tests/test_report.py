"""
The comparison of the contestants' figures.
"""

from bench.report import Standing, comparison, load, table
from bench.steady import Steady


def runs(*cpu_seconds: float) -> list[Steady]:
    return [Steady(events=1_000, cpu_seconds=spent, wall_seconds=2.0) for spent in cpu_seconds]


def test_ratios_are_taken_within_a_round() -> None:
    """
    A round in which the machine was slow for all leaves the ratio as it was.
    """
    floor = Standing("bare", runs(0.25, 1.0, 0.5))
    ours = Standing("service", runs(0.5, 2.0, 1.5))

    figures = comparison([floor, ours])

    (ratio,) = figures["cpu_ratios"]
    assert ratio == {"of": "service", "to": "bare", "pairs": [2.0, 2.0, 3.0], "median": 2.0}


def test_each_contestant_is_told_apart_from_its_spread() -> None:
    """
    Least, median and greatest cost stand beside each other, in the order of the rounds or not.
    """
    floor = Standing("bare", runs(0.5, 0.25, 1.0))

    figures = comparison([floor])

    (only,) = figures["contestants"]
    assert only["cpu_seconds_per_event"] == {"min": 0.00025, "median": 0.0005, "max": 0.001}
    assert only["events_per_second"]["median"] == 500.0


def test_a_single_contestant_has_no_ratio() -> None:
    """
    Without a second contestant the floor stands alone, and nothing is compared.
    """
    floor = Standing("bare", runs(0.5))

    text = table([floor])

    assert comparison([floor])["cpu_ratios"] == []
    assert "÷" not in text


def test_figures_name_their_load() -> None:
    """
    Calls at once, quota, rate of uploads and the provider's time: a cost means nothing without them.
    """
    assert load(64, None, None, 0.05) == "64 in flight, unpaced, all uploads waiting, a provider of 50 ms"
    assert load(64, 100, 50.0, 0.05) == (
        "64 in flight, at a quota of 100 calls a second, 50 uploads a second, a provider of 50 ms"
    )
