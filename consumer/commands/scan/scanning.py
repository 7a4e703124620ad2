"""A scan from its options to its exit status."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import NamedTuple

import uvloop
from rich.console import Console
from rich.markup import escape

from consumer.clock import SystemClock
from consumer.commands.scan.asking import Stopping, open_asking, submitted
from consumer.commands.scan.finding import Found, find
from consumer.commands.scan.inputs import Inputs, load_inputs
from consumer.commands.scan.items import Item
from consumer.commands.scan.lines import Result, line_again, line_of
from consumer.commands.scan.options import FailOn, ScanOptions
from consumer.commands.scan.outputs import must_be_writable, written
from consumer.commands.scan.page import MOST_CARDS, write_page
from consumer.commands.scan.paths import clashes
from consumer.commands.scan.patience import Patience
from consumer.commands.scan.pictures import Pictures
from consumer.commands.scan.plan import Plan
from consumer.commands.scan.progress import watched
from consumer.commands.scan.state import State, opened
from consumer.commands.scan.table import MOST_ROWS, summary, table
from consumer.commands.scan.tally import Tally
from consumer.config.operation import LogSettings
from consumer.errors import Misconfigured
from consumer.observability.logs import set_up_logs
from consumer.records import STRICTNESS, Decision, Verdict

DONE, FOUND, UNFINISHED = 0, 1, 3
"""Exit statuses; 2 is a wrong use."""

Tell = Callable[[Result], None]
"""Takes each result, once."""


def run(options: ScanOptions, environment: Mapping[str, str]) -> int:
    """
    Scan, and return the exit status.

    Raises:
        Misconfigured: with all that is wrong; nothing was asked then.
    """
    inputs, found = _read(options, environment)
    set_up_logs(inputs.config.logs if options.verbose else LogSettings(level="error"))
    consoles = Consoles(
        Console(highlight=False, emoji=False), Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
    )
    for each in inputs.warnings:
        consoles.warn(each)
    scan = Scan(options, inputs, found, consoles)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(scan.run(environment))
    except OSError as error:
        consoles.warn(f"not finished: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return UNFINISHED


def _read(options: ScanOptions, environment: Mapping[str, str]) -> tuple[Inputs, Found]:
    """Read settings and find images. `Misconfigured` escapes, with what is wrong with either."""
    problems: list[str] = []
    inputs = found = None
    try:
        inputs = load_inputs(options, environment)
    except Misconfigured as error:
        problems += error.problems
    if options.images or options.manifest:
        try:
            found = find(options.images, options.manifest, sys.stdin.buffer)
        except Misconfigured as error:
            problems += error.problems
    stdout = None if options.dry_run or sys.stdout.isatty() else sys.stdout.fileno()
    problems += clashes(options, found.items if found else (), stdout)
    if inputs is None or found is None or problems:
        raise Misconfigured(problems)
    return inputs, found


class Consoles(NamedTuple):
    """Where people look."""

    output: Console
    errors: Console

    def warn(self, text: str) -> None:
        """Say something that is not the result."""
        self.errors.print(f"[yellow]![/yellow] {escape(text)}")


class Scan:
    """One scan."""

    def __init__(self, options: ScanOptions, inputs: Inputs, found: Found, consoles: Consoles) -> None:
        self._options = options
        self._inputs = inputs
        self._found = found
        self._consoles = consoles
        self._clock = SystemClock()
        self._privacy = inputs.config.privacy
        self._provider = inputs.config.provider.name

    async def run(self, environment: Mapping[str, str]) -> int:
        """See `run`."""
        began = time.monotonic()
        async with self._state() as state:
            known, to_ask = self._divided(state)
            if self._options.dry_run:
                self._print_plan(len(known), to_ask)
                return DONE
            if self._options.html:
                must_be_writable("--html", self._options.html)
            stopping = Stopping()
            tally = Tally(len(self._found.items), MOST_CARDS if self._options.html else MOST_ROWS)
            with Pictures(self._found, wanted=self._options.html is not None) as pictures:
                with self._telling(tally) as tell:
                    for result in self._again(known, state):
                        tell(result)
                    await self._ask(to_ask, tell, state, stopping, pictures, environment)
                told = summary(tally, time.monotonic() - began, self._options.price, self._found.passed_over)
                if self._options.html:
                    write_page(self._options.html, tally, told, pictures.of, show=self._options.show)
        return self._conclude(tally, told, stopping)

    @contextlib.asynccontextmanager
    async def _state(self) -> AsyncIterator[State | None]:
        path = self._options.state
        if path is None or (self._options.dry_run and not path.exists()):
            yield None
            return
        policy = self._inputs.policy
        async with opened(path, policy.settings.services, policy.sha256) as state:
            if state.torn:
                self._consoles.warn(f"{path}: the last line was not whole, and was dropped: its image is asked again")
            if state.of_others:
                what = "result is" if state.of_others == 1 else "results are"
                self._consoles.warn(
                    f"{path}: {state.of_others:,} {what} of another policy or of other services, and not used"
                )
            yield state

    def _divided(self, state: State | None) -> tuple[list[Item], list[Item]]:
        """The images that an earlier scan has paid for, and those that must be asked about."""
        known: list[Item] = []
        to_ask: list[Item] = []
        for item in self._found.items:
            (known if state is not None and state.knows(item.asked) else to_ask).append(item)
        return known, to_ask

    def _again(self, known: list[Item], state: State | None) -> Iterator[Result]:
        for item in known:
            assert state is not None
            yield Result(item, line_again(item, state.find(item.asked), self._privacy), from_state=True)

    def _print_plan(self, known: int, to_ask: list[Item]) -> None:
        plan = Plan.of(
            known, to_ask, self._inputs.policy.settings.services, self._inputs.qps, self._options.price,
            self._found.passed_over,
        )  # fmt: skip
        sys.stdout.write(f"{plan.text() if sys.stdout.isatty() else plan.json()}\n")

    @contextlib.contextmanager
    def _telling(self, tally: Tally) -> Iterator[Tell]:
        """Tell of each result wherever that is asked for."""
        # Rich would take a pipe for a terminal where FORCE_COLOR is set.
        stdout = None if sys.stdout.isatty() else sys.stdout.fileno()
        hidden = self._options.verbose or not sys.stderr.isatty()
        with (
            written(self._options.json, stdout) as lines,
            watched(self._consoles.errors, tally.total, self._options.price, hidden=hidden) as watching,
        ):

            def tell(result: Result) -> None:
                tally.told(result)
                lines.told(result)
                watching.told(result)

            yield tell

    async def _ask(
        self,
        items: list[Item],
        tell: Tell,
        state: State | None,
        stopping: Stopping,
        pictures: Pictures,
        environment: Mapping[str, str],
    ) -> None:
        def told(item: Item, verdict: Verdict) -> None:
            line = line_of(item, verdict, self._privacy, self._provider)
            if state is not None:
                state.add(item.asked, line)
            tell(Result(item, line))

        if not items:
            return
        submissions = ((each, submitted(each, n, upload=self._options.upload)) for n, each in enumerate(items))
        async with open_asking(self._inputs, self._found, environment, self._clock, pictures.seen) as asking:
            with self._interruptible(stopping):
                await asking.ask_all(submissions, told, stopping, Patience(self._options.patience))

    @contextlib.contextmanager
    def _interruptible(self, stopping: Stopping) -> Iterator[None]:
        """Stop at SIGINT or SIGTERM; at the second one end at once."""
        loop = asyncio.get_running_loop()
        awaited = (signal.SIGINT, signal.SIGTERM)

        def ignore_no_more() -> None:
            for each in awaited:
                loop.remove_signal_handler(each)

        def on_signal() -> None:
            ignore_no_more()
            self._consoles.warn(
                "interrupted: calls in flight are paid for, and end; the same signal again ends at once"
            )
            stopping.begin("it was interrupted")

        for each in awaited:
            loop.add_signal_handler(each, on_signal)
        try:
            yield
        finally:
            ignore_no_more()

    def _conclude(self, tally: Tally, told: str, stopping: Stopping) -> int:
        output, errors = self._consoles
        if sys.stdout.isatty():
            output.print(table(tally))
        errors.print(told, markup=False)
        if stopping.reason is not None:
            self._consoles.warn(f"not finished: {stopping.reason}. {self._how_to_go_on(tally)}")
            return UNFINISHED
        return FOUND if has_found(tally, self._options.fail_on) else DONE

    def _how_to_go_on(self, tally: Tally) -> str:
        left = f"{tally.left:,} of {tally.total:,} images are left"
        if self._options.state is not None:
            return f"{left}; the same command goes on, with what {self._options.state} remembers"
        return f"{left}; what was judged is paid for and not remembered: with --state FILE a scan can go on"


def has_found(tally: Tally, fail_on: FailOn | None) -> bool:
    """Whether an image came to a decision that is at least as strict."""
    if fail_on is None:
        return False
    least = STRICTNESS[Decision(fail_on)]
    return any(count and STRICTNESS[decision] >= least for decision, count in tally.decisions.items())
