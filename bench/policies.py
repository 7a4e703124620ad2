"""
Made-up policies, each against made-up images, decided by the service's code and by an oracle of its own:
`python -m bench.policies`.

Some have something put wrong on purpose: lint and the service must refuse just what the oracle does. Ends with status 1
where anything is different, and says which case: `--only N` plays it alone.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.rig.policy_cases.cases import case
from tests.rig.policy_cases.play import Report, play

MOST_SHOWN = 20


def main() -> None:
    """Parse the command line, play, and print what was played and what is different."""
    parser = argparse.ArgumentParser(prog="python -m bench.policies", description="Policies against an oracle")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--policies", type=int, default=20_000)
    parser.add_argument("--images", type=int, default=5, help="decided about by each policy")
    parser.add_argument("--only", type=int, help="play this case alone, and print its policy")
    options = parser.parse_args()
    numbers = range(options.policies) if options.only is None else [options.only]
    if options.only is not None:
        print(case(options.seed, options.only, options.images, BROKEN).policy)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = play(options.seed, numbers, options.images, Path(folder), BROKEN)
    print(shown(report, options.seed, time.monotonic() - began))
    sys.exit(int(bool(report.problems)))


BROKEN = 0.3


def shown(report: Report, seed: int, seconds: float) -> str:
    """Write a report."""
    decisions = ", ".join(f"{count:,} {decision}" for decision, count in sorted(report.decisions.items()))
    codes = ", ".join(f"{code} {count:,}" for code, count in sorted(report.refused.items()))
    return "\n".join(
        [
            f"seed {seed}: {report.policies:,} policies, {report.images:,} images; {seconds:,.0f} s",
            f"decided: {decisions}; {report.by_rules:,} by rules, {report.floors:,} with a floor, "
            f"{report.trials:,} with another decision in shadow",
            f"refused, as the oracle and lint say: {codes}",
            f"different from the oracle: {len(report.problems):,}",
            *report.problems[:MOST_SHOWN],
        ]
    )


if __name__ == "__main__":
    main()
