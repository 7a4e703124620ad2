"""
What can be played, in the order in which it is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.chaos.scenarios.kill import contestants, kill
from bench.chaos.scenarios.playing import Findings, Setting


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of breakage."""

    play: Callable[[Setting], Awaitable[Findings]]
    brokers: int = 1
    short: float = 120.0
    """Seconds after which the short form is given up."""

    full: float = 900.0


SCENARIOS: Mapping[str, Scenario] = {
    "kill": Scenario(kill, full=1_500),
    "contestants": Scenario(contestants, short=240, full=1_200),
}
