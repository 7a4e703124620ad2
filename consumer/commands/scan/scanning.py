"""A scan from its options to its exit status."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import NamedTuple

import uvloop

from consumer.clock import SystemClock
from consumer.commands.faults import in_a_line, innermost
from consumer.commands.scan.asking import Stopping, open_asking, submitted
from consumer.commands.scan.consoles import Consoles, takes_results
from consumer.commands.scan.facts import facts_of, in_words
from consumer.commands.scan.finding import Found, find
from consumer.commands.scan.inputs import Inputs, load_inputs
from consumer.commands.scan.items import Item
from consumer.commands.scan.lines import Result, line_again, line_of
from consumer.commands.scan.options import FailOn, ScanOptions
from consumer.commands.scan.outputs import Lines, must_be_writable, write_all, written
from consumer.commands.scan.page import MOST_CARDS, write_page
from consumer.commands.scan.paths import clashes
from consumer.commands.scan.patience import Patience
from consumer.commands.scan.pictures import Pictures
from consumer.commands.scan.plan import Plan
from consumer.commands.scan.progress import Watching, watched
from consumer.commands.scan.state import State, opened
from consumer.commands.scan.table import MOST_ROWS, summary, table
from consumer.commands.scan.tally import Tally
from consumer.config.operation import LogSettings
from consumer.errors import ConsumerError, Misconfigured
from consumer.observability.logs import set_up_logs
from consumer.observability.tracebacks import frames_of
from consumer.policy.effective import Policies
from consumer.records import STRICTNESS, Decision, Submission, Verdict
from consumer.vendor_facts.images import MOST_BYTES

DONE, FOUND, UNFINISHED = 0, 1, 3
"""Exit statuses; 2 is a wrong use."""


class Telling(NamedTuple):
    """All that is told of results."""

    tally: Tally
    lines: Lines
    watching: Watching

    def told(self, result: Result) -> None:
        """Take a result, once."""
        self.tally.told(result)
        self.lines.told(result)
        self.watching.told(result)

    async def room(self) -> None:
        """Return once another image may begin. See `Lines`."""
        await self.lines.room()


def run(options: ScanOptions, environment: Mapping[str, str]) -> int:
    """
    Scan, and return the exit status. What is unexpected is one of those who could not finish.

    Raises:
        Misconfigured: with all that is wrong; nothing was asked then.
    """
    consoles = Consoles.usual()
    return or_unfinished(lambda: _run(options, environment, consoles), consoles, verbose=options.verbose)


def or_unfinished(scan: Callable[[], int], consoles: Consoles, *, verbose: bool) -> int:
    """Return what a scan returns; where an error ends it, say which, and that it could not finish."""
    try:
        return scan()
    except Misconfigured:
        raise
    except Exception as caught:  # noqa: BLE001 — else Python would end it with the status of a finding
        error = innermost(caught)
        match error:
            case OSError():
                about = f": {error.filename}" if error.filename else ""
                consoles.warn(f"not finished: {error.strerror or error}{about}")
            case ConsumerError():
                consoles.warn(f"not finished: {error}")
            case _:
                consoles.warn(f"not finished: {in_a_line(error)}{'' if verbose else '; --verbose says more'}")
        if verbose:
            consoles.say("\n".join(frames_of(error)))
        return UNFINISHED


def _run(options: ScanOptions, environment: Mapping[str, str], consoles: Consoles) -> int:
    inputs, found = _read(options, environment)
    set_up_logs(inputs.config.logs if options.verbose else LogSettings(level="error"))
    for each in inputs.warnings:
        consoles.warn(each)
    scan = Scan(options, inputs, found, consoles)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(scan.run(environment))


def _read(options: ScanOptions, environment: Mapping[str, str]) -> tuple[Inputs, Found]:
    """Read settings and find images. `Misconfigured` escapes, with what is wrong with either."""
    problems: list[str] = []
    inputs = found = None
    try:
        inputs = load_inputs(options, environment)
    except Misconfigured as error:
        problems += error.problems
    if options.images or options.manifest:
        most_bytes = inputs.config.images.max_fetch_bytes if inputs else MOST_BYTES
        try:
            found = find(
                options.images, options.manifest, sys.stdin.buffer, upload=options.upload, most_bytes=most_bytes
            )
        except Misconfigured as error:
            problems += error.problems
    stdout = None if options.dry_run else takes_results()
    problems += clashes(options, found.items if found else (), stdout)
    if inputs is None or found is None or problems:
        raise Misconfigured(problems)
    return inputs, found


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
        stopping = Stopping()
        async with self._state(stopping) as state:
            known, to_ask = self._divided(state)
            if self._options.dry_run:
                self._print_plan(len(known), to_ask, state)
                return DONE
            if self._options.html:
                must_be_writable("--html", self._options.html)
            tally = Tally(len(self._found.items), MOST_CARDS if self._options.html else MOST_ROWS)
            with Pictures(self._found, wanted=self._options.html is not None) as pictures:
                async with self._telling(tally, stopping) as telling:
                    for result in self._again(known, state):
                        await telling.room()
                        telling.told(result)
                    await self._ask(to_ask, telling, state, stopping, pictures, environment)
                told = summary(tally, time.monotonic() - began, self._options.price, self._found.passed_over)
                if self._options.html:
                    write_page(self._options.html, tally, told, pictures.of, show=self._options.show)
                    if pictures.problem is not None:
                        self._consoles.warn(f"{self._options.html}: pictures are missing: {pictures.problem}")
        return self._conclude(tally, told, stopping)

    @contextlib.asynccontextmanager
    async def _state(self, stopping: Stopping) -> AsyncIterator[State | None]:
        path = self._options.state
        if path is None or (self._options.dry_run and not path.exists()):
            yield None
            return
        async with opened(path, facts_of(self._inputs, self._clock.wall()), stopping.by_failure) as state:
            if state.torn:
                self._consoles.warn(f"{path}: the last line was not whole, and was dropped: its image is asked again")
            for differing, count in state.of_others.items():
                what = "result is" if count == 1 else "results are"
                self._consoles.warn(
                    f"{path}: {count:,} {what} of {in_words(differing)}, and not used: such images are asked about "
                    "again, and paid for"
                )
            yield state

    def _divided(self, state: State | None) -> tuple[list[Item], list[Item]]:
        """The images that an earlier scan has paid for, and those that must be asked about."""
        known: list[Item] = []
        to_ask: list[Item] = []
        for item in self._found.items:
            (known if state is not None and state.knows(self._key(item)) else to_ask).append(item)
        return known, to_ask

    def _key(self, item: Item) -> str:
        return item.decided_as(by_tenant=bool(self._inputs.policy.settings.overlays))

    def _submission(self, item: Item) -> str:
        return item.submitted_as(by_tenant=self._inputs.policy.settings.asks_by_tenant)

    def _again(self, known: list[Item], state: State | None) -> Iterator[Result]:
        for item in known:
            assert state is not None
            yield Result(item, line_again(item, state.find(self._key(item)), self._privacy), from_state=True)

    def _print_plan(self, known: int, to_ask: list[Item], state: State | None) -> None:
        settings = self._inputs.policy.settings
        policies = Policies(settings)
        calls = sum(len(policies.of(item.tenant, item.purpose).asked.services) for item in to_ask)
        calls -= 0 if state is None else sum(state.paid(self._submission(item)) for item in to_ask)
        plan = Plan.of(
            known, to_ask, settings.all_asked.services, calls, self._inputs.qps, self._options.price,
            self._found.passed_over, self._inputs.config.images.frames_asked_about,
            self._inputs.config.units_per_call,
        )  # fmt: skip
        text = plan.text() if sys.stdout.isatty() else plan.json()
        write_all(sys.stdout.fileno(), f"{text}\n".encode())

    @contextlib.asynccontextmanager
    async def _telling(self, tally: Tally, stopping: Stopping) -> AsyncIterator[Telling]:
        """Tell of each result wherever that is asked for. What cannot be written stops the scan."""
        # Rich would take a pipe for a terminal where FORCE_COLOR is set.
        hidden = self._options.verbose or not sys.stderr.isatty()
        with watched(self._consoles.errors, tally.total, self._options.price, hidden=hidden) as watching:
            async with written(self._options.json, takes_results(), stopping.by_failure) as lines:
                stopping.before(lines.give_up)
                yield Telling(tally, lines, watching)

    async def _ask(
        self,
        items: list[Item],
        telling: Telling,
        state: State | None,
        stopping: Stopping,
        pictures: Pictures,
        environment: Mapping[str, str],
    ) -> None:
        def told(item: Item, verdict: Verdict) -> None:
            line = line_of(item, verdict, self._privacy, self._provider)
            if state is not None:
                state.add(self._key(item), line)
            telling.told(Result(item, line, paid=0 if state is None else state.paid(self._submission(item))))

        async def submissions() -> AsyncIterator[tuple[Item, Submission]]:
            for number, item in enumerate(items):
                await telling.room()
                yield item, submitted(item, number, by_tenant=self._inputs.policy.settings.asks_by_tenant)

        if not items or stopping.reason is not None:
            return
        async with open_asking(self._inputs, self._found, environment, self._clock, pictures.seen, state) as asking:
            with self._interruptible(stopping):
                await asking.ask_all(submissions(), told, stopping, Patience(self._options.patience))

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
        if sys.stdout.isatty():
            self._consoles.output.print(table(tally))
        self._consoles.say(told)
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
