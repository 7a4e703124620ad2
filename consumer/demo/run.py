"""
The course of the demo.

    start everything → publish → watch until all is settled → stop the service → compare → report
"""

import asyncio
import contextlib
import gc
import logging
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import uvloop
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from rich.console import Console

from consumer.config import Config
from consumer.config.loading import load_config
from consumer.demo import DemoOptions, report
from consumer.demo.comparison import all_ok, billed_again, calls_over_quota, compare, facts, held_up
from consumer.demo.lag import measuring_lag
from consumer.demo.outcomes import Upload
from consumer.demo.reviewer import review_one
from consumer.demo.stage import Stage, billed_calls, charges, open_stage
from consumer.demo.uploads import FEWEST, KINDS, SECTIONS, uploads
from consumer.demo.view import showing
from consumer.demo.watch import Stuck, Watch
from consumer.errors import Misconfigured
from consumer.policy_files.loading import load_policies

MOST: Final = 10_000
"""Uploads whose verdicts the embedded broker is certain to keep until they are read."""
MOST_QPS: Final = 200
"""Calls a second that the emulated provider can take while it shares a process with all the rest."""

_PATIENCE: Final = 30.0  # seconds that everything may take beyond three times what the quota asks for
_FIRST: Final = 30
"""Uploads that go ahead of the flood: they load code and open connections, which makes their calls arrive late."""
_INTERRUPTED: Final = 130  # as shells report it


def run(options: DemoOptions) -> int:
    """As `consumer.demo.run_demo`."""
    config = _checked(options)
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="moderation-demo-"))
    with _logging_to(folder / "demo.log"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            status = runner.run(_demonstrate(options, config, console, folder))
        except asyncio.CancelledError:
            console.print("\nInterrupted. Nothing is left running.")
            status = _INTERRUPTED
        except (Stuck, KafkaError, KafkaException, OSError) as error:
            logging.getLogger(__name__).exception("the demo could not go on")
            console.print(f"\n[red]✗[/red] {error}")
            status = 1
    if status == 1:
        report.print_logs(console, folder)
    else:
        shutil.rmtree(folder)
    return status


async def _demonstrate(options: DemoOptions, config: Config, console: Console, folder: Path) -> int:
    began = time.monotonic()
    this = asyncio.current_task()
    assert this is not None
    _on_signals(this.cancel)
    report.print_title(console, options)
    async with open_stage(options, config, folder) as stage:
        report.print_addresses(console, stage)
        with showing(console) as view:
            watch = Watch(stage, view, uploads=options.events, qps=options.qps, began=began)
            lag = await _carry(watch, list(uploads(options.events, stage.site, time.time())), options.qps)
            exit_code = stage.service.exit_code if options.keep else await watch.stop_service()
            uncommitted = await watch.until_committed(config.kafka.group_id)
            await watch.read_to_end()
        rows = compare(watch.tally, [kind.name for kind in KINDS])
        charged = charges(stage.emulator)
        billed, arrivals = billed_calls(stage.emulator)
        late = max(lag, held_up(watch.tally, arrivals))
        over_quota = calls_over_quota(charged.refused, qps=options.qps, jitter=config.quota.jitter, held_up=late)
        again = billed_again(watch.tally, billed)
        held = facts(watch.tally, charged, over_quota, again=again, uncommitted=uncommitted, exit_code=exit_code)
        report.print_samples(console, watch.tally, config.kafka.outputs)
        report.print_tables(console, rows, held, {kinds[0].name: title for title, kinds in SECTIONS.items()})
        report.print_review(console, await review_one(stage, config, options, folder))
        report.print_conclusion(console, watch.tally, rows, held, options, charged, watch.elapsed)
        if options.keep:
            exit_code = await _keep(console, stage, config, options)
    return 0 if all_ok(rows, held) and not exit_code else 1


async def _carry(watch: Watch, batch: Sequence[Upload], qps: int) -> float:
    """
    Publish everything once the service is ready, and wait until it is settled, but not for ever.

    Returns for how long, in seconds, the emulated provider was held up at most.
    """
    images = sum(len(upload.expected) for upload in batch)
    await watch.until_ready()
    gc.freeze()  # a collection of all that was imported would hold up the emulated provider for 40 ms
    async with measuring_lag() as lag:
        await watch.publish(batch[:_FIRST])
        await watch.until_settled(min(_FIRST, len(batch)) // 2, timeout=_PATIENCE)
        await watch.publish(batch[_FIRST:])
        await watch.until_settled(len(batch), timeout=_PATIENCE + 3 * images / qps)
    return lag.longest


async def _keep(console: Console, stage: Stage, config: Config, options: DemoOptions) -> int:
    """Leave everything running until Ctrl-C, then return the service's exit code."""
    stop = asyncio.Event()
    _on_signals(stop.set)
    report.print_invitation(console, stage, config, options)
    await stop.wait()
    console.print("\nStopping the service …")
    exit_code = await stage.service.stop()
    console.print(f"It ended with exit code {exit_code}.")
    return exit_code


def _on_signals(act: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, act)


def _checked(options: DemoOptions) -> Config:
    """Load the configuration before anything starts. Raises: Misconfigured, with every problem."""
    problems = []
    if not FEWEST <= options.events <= MOST:
        problems.append(f"--events: from {FEWEST} to {MOST}, given {options.events}")
    if not 1 <= options.qps <= MOST_QPS:
        problems.append(f"--qps: from 1 to {MOST_QPS}, given {options.qps}")
    if problems:
        raise Misconfigured(problems)
    config = load_config(options.config, {})
    load_policies(config.policies)
    return config


@contextlib.contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Keep what libraries log off the terminal."""
    handler = logging.FileHandler(file)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
