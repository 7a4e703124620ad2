"""What `policy redecide` says: flips as they are found or published, on standard output, and how far it is."""

import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from consumer.commands.policy.redecide.chains import Chains
from consumer.commands.policy.redecide.summary import Line, Summary
from consumer.errors import Misconfigured

MOST_SHOWN = 80  # characters of a producer's text
_TOLD = frozenset({"flip", "for_people"})
_SET_ASIDE = {
    "provisional": "provisional: another one follows, or has followed",
    "superseded": "superseded already",
    "not_believed": "not signed by this service: left alone",
    "unreadable": "no verdicts",
    "others": "of other groups, or nothing of ours",
}


class Showing:
    """Shows lines on standard output, and progress on standard error where that is a terminal."""

    def __init__(self, *, as_json: bool, is_confirmed: bool = False, qps: int = 0) -> None:
        """`is_confirmed` asks nobody whether to have images asked about again, at `qps` calls a second."""
        self._as_json = as_json
        self._is_confirmed = is_confirmed
        self._qps = qps
        console = Console(stderr=True, highlight=False)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Showing":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def told(self, line: Line) -> None:
        """Show a flip, or what people are to decide."""
        if line.judged.kind not in _TOLD:
            return
        shown = orjson.dumps(as_json(line)).decode() if self._as_json else as_text(line)
        if self._bar.disable or not sys.stdout.isatty():
            typer.echo(shown)
        else:  # above the bar, on the same terminal
            self._bar.console.print(shown, markup=False, emoji=False, soft_wrap=True)

    def gathered(self, chains: Chains) -> None:
        """Say what is remembered."""
        if not self._as_json:
            mib = chains.size / (1 << 20)
            typer.echo(
                f"{len(chains):,} verdicts took others' places ({chains.people:,} are people's): {mib:,.1f} MiB",
                err=True,
            )

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how many records are read."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        self._bar.update(self._tasks[what], completed=done)

    def may_rescan(self, summary: Summary, services: int) -> bool:
        """
        Say what it will cost, and ask whether to.

        Raises:
            Misconfigured: nobody can be asked, and --yes is not given.
        """
        self._bar.stop()
        typer.echo(_cost(summary.rescans, services, self._qps), err=True)
        if self._is_confirmed:
            return True
        if not sys.stdin.isatty():
            raise Misconfigured(["--rescan: costs calls, and nobody can be asked here: give --yes too"])
        return typer.confirm("Have them asked about again?", err=True)


def _cost(images: int, services: int, qps: int) -> str:
    calls = images * services
    each = "one call" if services == 1 else f"{services} calls"
    took = f"{timedelta(seconds=round(calls / max(1, qps)))} at the account's {qps:,} a second"
    return f"{images:,} images are asked about again, {each} each: {calls:,} billed calls, {took}"


def as_json(line: Line) -> Mapping[str, Any]:
    """One verdict, for programs."""
    judged = line.judged
    return {
        "kind": judged.kind,
        "before": judged.before,
        "after": judged.after,
        "why": judged.why or None,
        "rules": line.rules,
        "verdict_id": line.verdict_id,
        "superseding_id": line.superseding_id,
        "tenant": line.tenant,
        "purpose": line.purpose,
        "subject": line.subject,
        "image": line.image,
        "at": line.place,
    }


def as_text(line: Line) -> str:
    """One verdict, for people."""
    judged, by = line.judged, f"  by {', '.join(line.rules)}" if line.rules else ""
    what = f"{judged.before} → {judged.after}"
    if judged.kind == "for_people":
        whose = "a person decided" if judged.why == "person" else f"the floor of {judged.detail}"
        what = f"! {what}, for people: {whose}"
    about = f"{shown(line.tenant)}/{shown(line.purpose)}  {shown(line.subject)}  {shown(line.image)}"
    return f"{what}  {about}{by}  ({line.place})"


def shown(text: str) -> str:
    """A producer's text as a terminal may have it."""
    printable = "".join(each if each.isprintable() else "�" for each in text[: MOST_SHOWN + 1])
    return printable if len(printable) <= MOST_SHOWN else f"{printable[:MOST_SHOWN]}…"


def summary_as_json(summary: Summary, *, applied: bool) -> str:
    """The numbers, for programs: the last line."""
    return orjson.dumps(
        {
            "kind": "summary",
            "seen": summary.seen,
            "flips": {f"{before} to {after}": count for (before, after), count in sorted(summary.flips.items())},
            "for_people": summary.for_people,
            "needs_calls": summary.needs_calls,
            "not_replayable": summary.not_replayable,
            "set_aside": summary.set_aside,
            "published": summary.published if applied else None,
            "can_be_rescanned": summary.rescans,
            "rescanned": summary.rescanned,
            "rescanned_before": summary.rescanned_before,
        }
    ).decode()


def summary_as_text(summary: Summary, *, applied: bool) -> str:
    """The numbers, for people."""
    return "\n".join(_lines(summary, applied))


def _lines(summary: Summary, applied: bool) -> Iterator[str]:
    flips = summary.flips.total()
    yield f"{summary.seen:,} images decided again, without a call: {flips:,} flip{'' if flips == 1 else 's'}"
    for (before, after), count in sorted(summary.flips.items()):
        yield f"  {before} → {after}: {count:,}"
    if summary.for_people:
        person, floor = summary.for_people["person"], summary.for_people["floor"]
        yield f"left to people: {person:,} that a person decided, {floor:,} below the floor of a pinned rule"
    if summary.needs_calls:
        yield f"cannot be known without new calls: {_counted(summary.needs_calls)}"
        rescanned = summary.rescanned or summary.rescanned_before
        yield (
            f"  asked about again: {summary.rescanned:,}, and {summary.rescanned_before:,} by an earlier run"
            if rescanned
            else f"  --rescan TOPIC has those asked about again whose image verdicts name: {summary.rescans:,}"
        )
    if summary.not_replayable:
        yield f"cannot be decided again: {_counted(summary.not_replayable)}"
    for why, count in summary.set_aside.items():
        yield f"set aside: {count:,} {_SET_ASIDE[why]}"
    if applied:
        yield f"published: {summary.published:,}"
    elif flips:
        yield "nothing is published: --apply does that"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} ({why})" for why, count in counts.items())
