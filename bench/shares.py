"""
Whether replicas that share a quota ever exceed it, and how much of it they use: `python -m bench.shares`.

Exit status 1 where any schedule was over the quota.
"""

import argparse
import random
import sys
from collections.abc import Iterable
from statistics import mean

from tests.rig.simulation.schedule import FIGURES, troubled
from tests.rig.simulation.world import Outcome, run


def main() -> None:
    """Parse the command line, run the schedules and print a line for each scenario."""
    parser = argparse.ArgumentParser(prog="python -m bench.shares", description="The shared quota, simulated")
    parser.add_argument("--schedules", type=int, default=2_000, metavar="N", help="of troubled groups")
    parser.add_argument("--seed", type=int, default=0, help="of the first one")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.schedules)
    over = show("trouble", (run(troubled(random.Random(seed)), seed) for seed in seeds))
    for scenario in FIGURES:
        over += show(scenario.name, (run(scenario, seed) for seed in range(max(1, options.schedules // 100))))
    sys.exit(1 if over else 0)


def show(name: str, outcomes: Iterable[Outcome]) -> int:
    """Print what came of a scenario's schedules; return how many were over the quota."""
    ran = list(outcomes)
    worst = max(outcome.busiest / outcome.scenario.quota for outcome in ran)
    over = sum(outcome.is_over for outcome in ran)
    print(
        f"{name:32} {len(ran):6} schedules  {sum(outcome.calls for outcome in ran):9} calls  "
        f"worst sliding second {worst:.3f} Q  over Q {over:4}  mean use {mean(outcome.use for outcome in ran):.3f} Q",
        flush=True,
    )
    return over


if __name__ == "__main__":
    main()
