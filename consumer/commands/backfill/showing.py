"""What `backfill` says: what it will do and cost, whether to, how far it is, and what it came to."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from consumer.commands.amounts import calls, cost, duration
from consumer.commands.backfill.options import Target
from consumer.errors import Misconfigured

SAID_EVERY = 30.0  # seconds, where there is no terminal


@dataclass(slots=True)
class Plan:
    """What is there to send, and what that leads to."""

    source: str
    target: Target
    run: str
    rate: float  # events a second
    price: float | None = None  # of a thousand calls
    units: int = 1  # that a call is charged as; `calls` counts them
    pictures: int = 1  # of one file that are asked about at the most
    named: int = 0  # events, those passed over not counted
    sent_before: int = 0
    events: int = 0  # to send
    images: int = 0
    calls: int = 0
    not_asked: int = 0
    deleted: bool = False  # the topic has deleted records
    passed_over: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    @property
    def seconds(self) -> float:
        """How long sending takes, and how long the lane takes to have all of it judged; the longer one."""
        return max(self.events / self.rate, self.calls / self.units / max(1, self.target.calls))

    def lines(self) -> Iterator[str]:
        """For people."""
        target = self.target
        over = ", ".join(f"{what} ({count:,})" for what, count in self.passed_over.items())
        yield f"from      {self.source}: {_counted(self.named, 'event')}{f'; passed over: {over}' if over else ''}"
        yield f"into      {target.topic}, lane {target.lane}, which is due {calls(target.calls)} a second"
        yield f"before    {_counted(self.sent_before, 'event')} sent by run {self.run}"
        if self.deleted:
            yield f"          ! {target.topic} has deleted records: what this run sent before them is not known"
        yield (
            f"to send   {_counted(self.events, 'event')} with {_counted(self.images, 'image')}: "
            f"{calls(self.calls)} billed{cost(self.calls, self.price)}"
        )
        if self.not_asked:
            yield f"          {_counted(self.not_asked, 'image')} of them go to review without a call"
        if self.pictures > 1 and self.calls:
            yield f"          of files with many pictures up to {self.pictures} are asked about, each a call"
        yield (
            f"time      {duration(self.events / self.rate)} at {self.rate:g} events a second; judged in "
            f"{duration(self.seconds)}, or sooner where other lanes are idle"
        )

    def members(self, status: str) -> dict[str, Any]:
        """For programs."""
        return {
            "status": status, "source": self.source, "topic": self.target.topic, "lane": self.target.lane,
            "run": self.run, "events": self.named, "sent_before": self.sent_before, "to_send": self.events,
            "sent": self.sent, "images": self.images, "calls": self.calls, "not_asked": self.not_asked,
            "cost": None if self.price is None else self.calls * self.price / 1000, "seconds": self.seconds,
            "passed_over": dict(self.passed_over), "records_deleted": self.deleted,
        }  # fmt: skip


class Showing:
    """Says all of it on standard error; standard output has the one object of `--json`."""

    def __init__(self, *, as_json: bool, is_confirmed: bool) -> None:
        self._as_json = as_json
        self._is_confirmed = is_confirmed
        self._console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Say a line."""
        self._console.print(text, markup=False)

    def may_send(self, plan: Plan) -> bool:
        """
        Ask whether to send.

        Raises:
            Misconfigured: nobody can be asked, and --yes is not given.
        """
        if self._is_confirmed:
            return True
        if not sys.stdin.isatty():
            raise Misconfigured(["backfill: costs calls, and nobody can be asked here: give --yes too"])
        return typer.confirm(f"Send {_counted(plan.events, 'event')}?", err=True)

    def bar(self, plan: Plan) -> "Bar":
        """How far sending is."""
        return Bar(self._console, plan)

    def ended(self, plan: Plan, status: str) -> None:
        """Say what it came to."""
        if self._as_json:
            typer.echo(orjson.dumps(plan.members(status)).decode())


class Bar:
    """A bar on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console, plan: Plan) -> None:
        columns = BarColumn(24), MofNCompleteColumn(), TextColumn("events"), _Rate(), TimeRemainingColumn(compact=True)
        self._console = console
        self._plan = plan
        self._began = self._said = time.monotonic()
        self._progress = Progress(
            *columns, TextColumn("left"), console=console, disable=not console.is_terminal, transient=True
        )
        self._task = self._progress.add_task("", total=plan.events)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def sent(self) -> None:
        """Take note of an event that is durable."""
        self._plan.sent += 1
        self._progress.update(self._task, completed=self._plan.sent)
        now = time.monotonic()
        if self._progress.disable and now - self._said >= SAID_EVERY:
            self._said = now
            rate = self._plan.sent / (now - self._began)
            left = duration((self._plan.events - self._plan.sent) / rate)
            self._console.print(f"{self._plan.sent:,} of {self._plan.events:,} sent, {rate:,.1f}/s, {left} left")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
