"""How far a scan is, on a terminal: done of all, rate, time left, calls that are billed and what they cost."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from consumer.commands.amounts import calls, cost
from consumer.commands.scan.lines import Result
from consumer.records import Decision

STYLES = {Decision.BLOCK: "red", Decision.REVIEW: "yellow", Decision.PASS: "green"}
WINDOW = 30.0  # seconds over which the rate is worked out
SHOWN_EVERY = 0.1  # seconds


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


class Watching(Protocol):
    """Is told of each result."""

    def told(self, result: Result) -> None: ...


class _Nobody:
    def told(self, result: Result) -> None:
        pass


class _Bar:
    """Counts, and shows its counts from a thread of its own: a terminal that stands still holds up no call."""

    def __init__(self, bar: Progress, total: int, price: float | None) -> None:
        self._bar = bar
        self._price = price
        self._done = 0
        self._billed = 0
        self._decisions: Counter[Decision] = Counter()
        self._task = bar.add_task("", total=total, what=self._what())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show_on, name="scan progress", daemon=True)
        self._thread.start()

    def told(self, result: Result) -> None:
        self._done += 1
        self._billed += result.billed_calls
        self._decisions[result.decision] += 1

    def end(self) -> None:
        """Show the last of it."""
        self._ended.set()
        self._thread.join()

    def _show_on(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            while not self._ended.wait(SHOWN_EVERY):
                self._show()
            self._show()

    def _show(self) -> None:
        self._bar.update(self._task, completed=self._done, what=self._what(), refresh=True)

    def _what(self) -> str:
        told = [
            f"[{style}]{each} {self._decisions[each]}[/]" for each, style in STYLES.items() if self._decisions[each]
        ]
        return "  ".join([*told, f"{calls(self._billed)} billed{cost(self._billed, self._price)}"])


@contextlib.contextmanager
def watched(console: Console, total: int, price: float | None, *, hidden: bool) -> Iterator[Watching]:
    """Show progress until the context ends; nothing where there is no terminal, or it is hidden."""
    if hidden or not console.is_terminal:
        yield _Nobody()
        return
    columns = (
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("images"),
        _Rate(),
        TextColumn("{task.fields[what]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(
        *columns, console=console, transient=True, speed_estimate_period=WINDOW, auto_refresh=False
    ) as progress:
        bar = _Bar(progress, total, price)
        try:
            yield bar
        finally:
            bar.end()
