"""
Plays scenarios and prints what was found; ends with status 1 where something does not hold.
"""

import argparse
import asyncio
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import orjson

from bench.chaos import report
from bench.chaos.nets import Mode, Nets
from bench.chaos.report import Result, Standing
from bench.chaos.sampling import Stopwatch
from bench.chaos.scenarios import SCENARIOS, Scenario
from bench.chaos.scenarios.playing import Findings, NotYet, Setting
from bench.chaos.stage import QUOTA, SETTINGS
from tests.rig.kafka import DownloadFailed, KafkaCluster, StartFailed, ToolMissing


def main() -> None:
    """Parse the command line and play."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description="What the service does when things break"
    )
    parser.add_argument("--full", action="store_true", help="the long forms (at most 75 minutes)")
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1, help="of everything that is left to chance")
    parser.add_argument("--runs", type=int, help="how often, where a scenario repeats itself")
    parser.add_argument(
        "--nets",
        type=Mode,
        choices=list(Mode),
        default=Mode.ODD,
        help="in which runs all of the service's safety nets are on: where the seed is odd, in all, or in none",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers are away on purpose
    try:
        results = asyncio.run(play(options))
    except (ToolMissing, DownloadFailed, StartFailed) as fault:
        sys.exit(str(fault))
    if options.json:
        options.json.write_bytes(orjson.dumps(_document(options, results), option=orjson.OPT_INDENT_2))
    print("\n" + "\n".join(f"{result.name:12} {result.standing.value}" for result in results))
    sys.exit(any(result.standing is not Standing.OK for result in results))


async def play(options: argparse.Namespace) -> list[Result]:
    """Play the scenarios that were asked for, those of one Kafka after each other, and print each result."""
    print(f"Q = {QUOTA} calls a second; {report.settings_text(SETTINGS)}; seed {options.seed}", flush=True)
    chosen = options.only or list(SCENARIOS)
    results, nets = [], Nets(options.nets)
    for brokers in sorted({SCENARIOS[name].brokers for name in chosen}):
        async with KafkaCluster.start(brokers=brokers) as kafka:
            for name in chosen:
                if SCENARIOS[name].brokers == brokers:
                    setting = Setting(kafka=kafka, seed=options.seed, full=options.full, runs=options.runs, nets=nets)
                    results.append(await _result(name, SCENARIOS[name], setting))
                    print("\n" + results[-1].to_text(), flush=True)
    if nets.runs:
        # One scenario alone need not have something for each of them to do.
        checks = nets.checks() if not options.only else ()
        figures = {"runs with all of them on": nets.runs, **nets.figures()}
        results.append(Result("nets", options.seed, checks, figures, standing_without_checks=Standing.OK))
        print("\n" + results[-1].to_text(), flush=True)
    return results


async def _result(name: str, scenario: Scenario, setting: Setting) -> Result:
    watch = Stopwatch()
    allowed = scenario.full if setting.full else scenario.short
    try:
        async with asyncio.timeout(allowed):
            findings: Findings = await scenario.play(setting)
    except NotYet as reason:
        return Result(
            name, setting.seed, seconds=watch.seconds(), reason=str(reason), standing_without_checks=Standing.NOT_YET
        )
    except TimeoutError:
        reason_text = f"not over after {watch.seconds():.0f} s of {allowed:.0f} s:\n{traceback.format_exc()}"
        return Result(name, setting.seed, seconds=watch.seconds(), reason=reason_text)
    except Exception:  # noqa: BLE001 — one scenario's fault must not hide what the others found
        return Result(name, setting.seed, seconds=watch.seconds(), reason=traceback.format_exc())
    return Result(name, setting.seed, findings.checks, findings.figures, watch.seconds())


def _document(options: argparse.Namespace, results: list[Result]) -> dict[str, Any]:
    return {
        "quota": QUOTA,
        "settings": report.settings(SETTINGS),
        "seed": options.seed,
        "full": options.full,
        "nets": options.nets.value,
        "scenarios": [result.to_json() for result in results],
    }


if __name__ == "__main__":
    main()
