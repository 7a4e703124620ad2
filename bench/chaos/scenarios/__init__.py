"""
What can be played, in the order in which it is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.chaos.scenarios.ablation import ablation
from bench.chaos.scenarios.addresses import addresses
from bench.chaos.scenarios.backlog import backlog
from bench.chaos.scenarios.brokers import brokers
from bench.chaos.scenarios.cut import cut
from bench.chaos.scenarios.keys import hot_key, keys
from bench.chaos.scenarios.kill import contestants, kill, uploading
from bench.chaos.scenarios.liar import liar
from bench.chaos.scenarios.playing import Findings, Setting
from bench.chaos.scenarios.rebalances import rolling, storm
from bench.chaos.scenarios.refused import refused
from bench.chaos.scenarios.rotation import rotation
from bench.chaos.scenarios.sigstop import sigstop
from bench.chaos.scenarios.slow import slow
from bench.chaos.scenarios.topics import added, recreated
from bench.chaos.scenarios.upgrade import upgrade


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of breakage."""

    play: Callable[[Setting], Awaitable[Findings]]
    brokers: int = 1
    short: float = 120.0
    """Seconds after which the short form is given up."""

    full: float = 900.0


SCENARIOS: Mapping[str, Scenario] = {
    "kill": Scenario(kill, full=1_200),
    "uploading": Scenario(uploading, full=1_200),
    "contestants": Scenario(contestants, full=1_200),
    "rolling": Scenario(rolling, full=300),
    "storm": Scenario(storm, full=240),
    "sigstop": Scenario(sigstop, full=300),
    "cut": Scenario(cut, full=180),
    "keys": Scenario(keys, full=240),
    "hot-key": Scenario(hot_key, full=300),
    "slow": Scenario(slow, full=300),
    "backlog": Scenario(backlog, full=900),
    "ablation": Scenario(ablation, short=240, full=300),
    "liar": Scenario(liar, short=180, full=300),
    "rotation": Scenario(rotation, short=180, full=300),
    "upgrade": Scenario(upgrade, short=300, full=420),
    "refused": Scenario(refused, full=180),
    "recreated": Scenario(recreated, full=180),
    "added": Scenario(added, full=180),
    "addresses": Scenario(addresses, full=180),
    "brokers": Scenario(brokers, brokers=3, short=180, full=600),
}
