"""
Measures every case and prints them as a table; ends with status 1 where something does not hold.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import uvloop

from bench.memory.cases import CASES
from bench.memory.measuring import Measured, measure
from tests.rig.fuzz.service import MIB
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="The worst input of each kind")
    parser.add_argument("--only", nargs="+", choices=list(CASES), metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave logs and configuration there")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sys.exit(runner.run(play(options)))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def play(options: argparse.Namespace) -> int:
    """Measure what was asked for; return the exit status."""
    failed = False
    with tempfile.TemporaryDirectory(prefix="memory-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        async with KafkaCluster.start(brokers=1, heap="768m") as kafka:
            print("| input | in Kafka | peak | bound | outcomes |\n|---|---|---|---|---|", flush=True)
            for name in options.only or CASES:
                measured = await measure(kafka, CASES[name], folder, f"memory-{name}")
                print(row(measured), flush=True)
                failed |= bool(measured.problems)
    return int(failed)


def row(measured: Measured) -> str:
    """Return one line of the table."""
    outcomes = ", ".join(
        f"{count:,} {what}"
        for count, what in ((measured.verdicts, "verdicts"), (measured.letters, "dead letters"))
        if count
    )
    problems = "".join(f" **{problem}**" for problem in measured.problems)
    return (
        f"| {measured.case.name}: {measured.case.about} | {measured.wire / 1000:,.0f} kB | "
        f"{measured.peak / MIB:.0f} MiB | {measured.bound / MIB:.0f} MiB | {outcomes}{problems} |"
    )


if __name__ == "__main__":
    main()
