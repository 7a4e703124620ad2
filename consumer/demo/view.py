"""The demo while it runs: one picture on a terminal, one line a second elsewhere. Nothing is decided here."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from consumer.demo.outcomes import Place

STYLES: Final[Mapping[Place, str]] = {
    Place.BLOCK: "red",
    Place.REVIEW: "yellow",
    Place.PASS: "green",
    Place.DEAD_LETTER: "magenta",
    Place.IGNORED: "dim",
}
_VERDICTS: Final = frozenset({Place.BLOCK, Place.REVIEW, Place.PASS})
_LABELS: Final = 15
_BAR: Final = 32
_LINE_EVERY: Final = 1.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What there is to see at one moment. Times are in seconds, None before there are any."""

    doing: str
    elapsed: float
    uploads: int
    qps: int
    published: int = 0
    settled: int = 0
    calls_last_second: int = 0
    calls_refused: int = 0
    calls_in_flight: int = 0
    images_uploaded: int = 0
    places: Mapping[Place, int] = field(default_factory=dict)
    verdict_p50: float | None = None
    verdict_p99: float | None = None
    provider_p50: float | None = None


class View:
    """Shows snapshots on a console. Made by `showing`."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console = console
        self._live = live
        self._line_due = -math.inf

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        """Show a snapshot; where there is no terminal, only if a line is due or it is the last."""
        if self._live is not None:
            self._live.update(picture(snapshot), refresh=True)
        elif last or snapshot.elapsed >= self._line_due:
            self._line_due = snapshot.elapsed + _LINE_EVERY
            self._console.print(line(snapshot), soft_wrap=True)


@contextmanager
def showing(console: Console) -> Iterator[View]:
    """Show snapshots until the context ends; the last picture stays."""
    if not console.is_interactive:
        yield View(console, None)
        return
    # Drawn by `show` alone: a thread that draws would hold up the emulated provider, which shares the process.
    with Live(console=console, auto_refresh=False) as live:
        yield View(console, live)


def picture(snapshot: Snapshot) -> RenderableType:
    """Draw a snapshot, 80 columns wide and of the same height every time."""
    progress = _grid()
    for label, done, total, what, style in (
        ("published", snapshot.published, snapshot.uploads, "uploads", "cyan"),
        ("settled", snapshot.settled, snapshot.uploads, "uploads", "cyan"),
        ("last second", snapshot.calls_last_second, snapshot.qps, "calls allowed", "blue"),
    ):
        progress.add_row(label, _bar(done, total, style), f"{done} of {total} {what}")
    verdicts = _grid()
    most = max(1, *(snapshot.places.get(place, 0) for place in STYLES))
    for place, style in STYLES.items():
        count = snapshot.places.get(place, 0)
        what = "images" if place in _VERDICTS else "messages"
        bar = Text("█" * math.ceil(count * _BAR / most), style)
        verdicts.add_row(Text(place, style), bar, f"{count} {what}")
    figures = _grid()
    figures.add_row(
        "in flight", f"{snapshot.calls_in_flight} calls; {snapshot.calls_refused} refused as over the quota"
    )
    to_verdict = f"p50 {_seconds(snapshot.verdict_p50)}, p99 {_seconds(snapshot.verdict_p99)}"
    figures.add_row(
        "private bucket", f"{snapshot.images_uploaded} images and frames of it uploaded to the provider's store"
    )
    figures.add_row("time to verdict", f"{to_verdict} after the upload was published:")
    figures.add_row("", f"the provider takes p50 {_seconds(snapshot.provider_p50)}, the rest waits for the quota")
    head = Text.assemble((f"{snapshot.elapsed:5.1f} s  ", "bold"), snapshot.doing)
    return Group("", head, "", progress, "", verdicts, "", figures, "")


def line(snapshot: Snapshot) -> str:
    """Tell a snapshot in one line."""
    if not snapshot.published:
        return f"{snapshot.elapsed:5.1f} s  {snapshot.doing}"
    places = ", ".join(f"{place} {snapshot.places.get(place, 0)}" for place in STYLES)
    return (
        f"{snapshot.elapsed:5.1f} s  {snapshot.published} published, {snapshot.settled} settled; {places}; "
        f"{snapshot.calls_last_second} of {snapshot.qps} calls in the last second, {snapshot.calls_refused} refused, "
        f"{snapshot.calls_in_flight} in flight; {snapshot.images_uploaded} images and frames uploaded; "
        f"time to verdict p50 {_seconds(snapshot.verdict_p50)}, p99 {_seconds(snapshot.verdict_p99)}"
    )


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=_LABELS + 1, justify="right", no_wrap=True)
    return grid


def _bar(done: int, total: int, style: str) -> ProgressBar:
    return ProgressBar(total=total, completed=min(done, total), width=_BAR, complete_style=style, finished_style=style)


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f} s"
