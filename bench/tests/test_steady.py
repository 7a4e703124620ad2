"""
What a process spent while it was running steadily.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.steady import Sample, steady_part


def test_start_up_and_last_calls_are_left_out() -> None:
    """
    CPU burnt before the first steady outcome, or after the last, is not counted.
    """
    outcomes = [float(second) for second in range(10, 21)]
    samples = [Sample(0.0, 0.0), Sample(12.0, 50.0), Sample(18.0, 53.0), Sample(30.0, 99.0)]

    steady = steady_part(outcomes, samples, edge=2)

    assert steady.events == 6
    assert steady.cpu_seconds == 3.0
    assert steady.cpu_per_event == 0.5
    assert steady.events_per_second == 1.0


@given(
    start_up=st.floats(0, 10),
    cost=st.floats(1e-5, 1e-2),
    rate=st.floats(10, 2_000),
    count=st.integers(100, 500),
    edge=st.integers(0, 20),
)
def test_an_even_cost_is_found_whatever_the_edges(
    start_up: float, cost: float, rate: float, count: int, edge: int
) -> None:
    """
    Where every event costs the same, that cost comes out, between the samples too and whatever was spent before.
    """
    outcomes = [100.0 + number / rate for number in range(count)]
    ticks = [99.0 + tick * 0.013 for tick in range(int((count / rate + 3) / 0.013))]
    samples = [Sample(at, start_up + (at - 99.0) * rate * cost) for at in ticks]

    steady = steady_part(outcomes, samples, edge)

    assert steady.cpu_per_event == pytest.approx(cost, rel=1e-3)
    assert steady.events_per_second == pytest.approx(rate, rel=1e-3)


def test_too_few_outcomes_are_no_steady_part() -> None:
    """
    A run shorter than its edges gives no figure.
    """
    with pytest.raises(ValueError, match="too few"):
        steady_part([1.0, 2.0, 3.0], [Sample(0.0, 0.0), Sample(9.0, 1.0)], edge=1)


@pytest.mark.parametrize("samples", [[], [Sample(0.0, 0.0)], [Sample(2.5, 0.0), Sample(9.0, 1.0)]])
def test_a_clock_not_read_around_the_steady_part_gives_no_figure(samples: list[Sample]) -> None:
    """
    Without a sample before and after, nothing is extrapolated.
    """
    with pytest.raises(ValueError, match="before and after"):
        steady_part([1.0, 2.0, 3.0, 4.0], samples, edge=0)
