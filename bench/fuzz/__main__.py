"""
Plays the fuzz and prints what was found; ends with status 1 where something does not hold.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.rig.fuzz import uploads
from tests.rig.fuzz.records import LARGEST_BOMB, MIB
from tests.rig.fuzz.replies import AnswerPlay
from tests.rig.fuzz.service import Report
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing

RECORDS = 200_000
ANSWERS = 20_000

Tell = Callable[[str, float], None]


def main() -> None:
    """Parse the command line and play."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description="Records and answers by dice")
    parser.add_argument("--records", type=int, help=f"how many records ({RECORDS:,})")
    parser.add_argument("--answers", type=int, help=f"how many images with made-up answers ({ANSWERS:,})")
    parser.add_argument("--seed", type=int, help="of everything that is made up; by chance without it")
    parser.add_argument(
        "--only", type=int, nargs="+", metavar="N", help="only these records, or answers with --answers"
    )
    parser.add_argument("--bomb", type=int, default=LARGEST_BOMB // MIB, metavar="MIB", help="the largest, unpacked")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave logs and configuration there")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(10**6)
    if options.records is None and options.answers is None:
        options.records, options.answers = RECORDS, ANSWERS
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sys.exit(runner.run(play(options)))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))


async def play(options: argparse.Namespace) -> int:
    """Play what was asked for; return the exit status."""
    console = Console()
    console.print(f"seed {options.seed}")
    failed = False
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        async with KafkaCluster.start(brokers=1, heap="768m") as kafka:
            if options.records is not None:
                numbers: Sequence[int] = options.only or range(options.records)

                def records(tell: Tell) -> Awaitable[Report]:
                    name = f"fuzz-{options.seed}"
                    return uploads.Play(
                        kafka, folder, name, options.seed, numbers, len(numbers), tell, options.bomb * MIB
                    ).run()

                failed |= await _played(console, f"{len(numbers):,} records", options.seed, "--records 0", records)
            if options.answers is not None:
                images: Sequence[int] = options.only or range(options.answers)

                def answers(tell: Tell) -> Awaitable[Report]:
                    name = f"answers-{options.seed}"
                    return AnswerPlay(kafka, folder, name, options.seed, images, len(images), tell).run()

                failed |= await _played(console, f"{len(images):,} answers", options.seed, "--answers 0", answers)
    return int(failed)


async def _played(
    console: Console, what: str, seed: int, option: str, play: Callable[[Tell], Awaitable[Report]]
) -> bool:
    began = time.monotonic()
    with Progress(
        TextColumn("{task.description:12}"), BarColumn(), TextColumn("{task.percentage:5.1f} %"), TimeElapsedColumn(),
        console=console,
    ) as bars:  # fmt: skip
        tasks = {}

        def tell(phase: str, done: float) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=1.0)
            bars.update(tasks[phase], completed=done)

        report = await play(tell)
    seconds = time.monotonic() - began
    standing = "[red]NOT OK" if report.problems else "[green]ok"
    console.print(f"\n{what}: {standing}[/]   (seed {seed}, {seconds:.0f} s)")
    for name, figure in report.figures.items():
        console.print(f"    {name}: {figure}", markup=False, highlight=False, soft_wrap=True)
    for problem in report.shown():
        console.print(f"  ✗ {problem}", markup=False, highlight=False, soft_wrap=True)
    if report.suspects:
        numbers = " ".join(map(str, dict.fromkeys(report.suspects[:5])))
        console.print(f"To play the first of them alone: python -m bench.fuzz --seed {seed} {option} --only {numbers}")
    return bool(report.problems)


if __name__ == "__main__":
    main()
