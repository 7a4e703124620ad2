"""
The comparison of the contestants' figures.
"""

from dataclasses import replace

from bench.figures import MIB, Figures, percentile
from bench.report import Standing, comparison, load, table
from bench.steady import Steady


def runs(*cpu_seconds: float) -> list[Figures]:
    return [
        Figures(
            steady=Steady(events=1_000, cpu_seconds=spent, wall_seconds=2.0),
            peak_rss=64 * MIB,
            connections=8,
            busiest_second=500,
            calls_per_second=490.0,
        )
        for spent in cpu_seconds
    ]


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


def test_idle_work_is_told_apart() -> None:
    """
    What a process uses with nothing to do is taken off the cost of an event; where it was not looked at, nothing is.
    """
    (run,) = runs(1.0)

    assert run.cpu_per_event_without_idle is None
    assert replace(run, idle_cores=0.25).cpu_per_event_without_idle == 0.0005


def test_what_nobody_looked_at_has_no_column() -> None:
    """
    Without a quota there is no use of it, and without a rate no delay.
    """
    standing = Standing("bare", runs(0.5))

    assert "of quota" not in table([standing])
    assert "0.980" in table([standing], quota=500)
    assert "p99" not in table([standing])


def test_percentiles() -> None:
    """
    The smallest value that the share of all does not exceed.
    """
    values = [float(number) for number in range(1, 101)]

    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0
