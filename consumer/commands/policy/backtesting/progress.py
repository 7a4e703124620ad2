"""How far a backtest is, on a terminal."""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_SHOWN_EVERY = 0.2  # seconds


class Watching(Protocol):
    """Is told how much is read."""

    def told(self, read: int, records: int) -> None: ...


class _Nobody:
    def told(self, read: int, records: int) -> None:
        pass


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task
        self._began = self._shown = time.monotonic()

    def told(self, read: int, records: int) -> None:
        now = time.monotonic()
        if now - self._shown >= _SHOWN_EVERY:
            self._shown = now
            rate = f"{records / (now - self._began):,.0f}/s"
            with contextlib.suppress(OSError):  # the terminal is gone
                self._bar.update(self._task, completed=read, records=f"{records:,}", rate=rate)


@contextlib.contextmanager
def watched(console: Console, total: int | None) -> Iterator[Watching]:
    """Show a bar of so much that is to be read, until the context ends; nothing where there is no terminal."""
    if not console.is_terminal:
        yield _Nobody()
        return
    columns = (
        BarColumn(24), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[records]} verdicts"),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True), TextColumn("left"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress, progress.add_task("", total=total, records="0", rate=""))
