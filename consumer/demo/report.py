"""What the demo prints before and after its picture: addresses, samples, tables, the conclusion. It decides nothing."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from consumer.config import Config
from consumer.config.kafka import OutputTopics
from consumer.demo import DemoOptions
from consumer.demo.comparison import Charges, Fact, Row, all_ok, differences, excuses, of_private_images
from consumer.demo.messages import PRIVATE_BUCKET, RED
from consumer.demo.outcomes import Place, Seen, Tally
from consumer.demo.reviewer import Reviewed, lines
from consumer.demo.stage import Stage
from consumer.demo.view import STYLES

_OK: Final = Text("✓", "green")
_WRONG: Final = Text("✗", "bold red")
_EXCUSED: Final = Text("✓ see below", "yellow")
_LOG_LINES: Final = 10


def print_title(console: Console, options: DemoOptions) -> None:
    """Say what is about to happen."""
    console.print(
        f"\n[bold]{options.events} uploads, and an account that allows {options.qps} calls a second.[/bold]\n"
        "Everything runs on this machine; nothing leaves it."
    )


def print_addresses(console: Console, stage: Stage) -> None:
    """Say what runs, and where."""
    grid = Table.grid(padding=(0, 2))
    for name, address, what in (
        ("Kafka", stage.broker.bootstrap_servers, "embedded broker: in memory, one consumer a group"),
        ("provider", stage.emulator.endpoint, "emulator: judges nothing, answers by rules"),
        ("images", stage.site.url.removeprefix("http://"), "web server of what is uploaded"),
        ("bucket", stage.bucket.removeprefix("http://"), "private, like S3: it gives nothing without its key"),
        (
            "service",
            stage.service.url.removeprefix("http://"),
            f"the real one, its own process (pid {stage.service.pid})",
        ),
    ):
        grid.add_row(f"  {name}", address, Text(what, "dim"))
    console.print("", grid)


def print_samples(console: Console, tally: Tally, topics: OutputTopics) -> None:
    """
    Print the earliest message of each topic as far as it needs telling: one that a frame decided where there is one, or
    else one with an answer.
    """
    first: dict[Place, Seen] = {}
    all_seen = (each for several in tally.seen.values() for each in several)
    for seen in sorted(all_seen, key=lambda each: (not each.deciding, each.called is None, each.at)):
        first.setdefault(seen.outcome.place, seen)
    for place, topic in (
        (Place.BLOCK, topics.block),
        (Place.REVIEW, topics.review),
        (Place.PASS, topics.pass_),
        (Place.DEAD_LETTER, topics.dead_letter),
    ):
        if place not in first:
            continue
        content = first[place].content
        if place is Place.DEAD_LETTER:
            console.print(f"\n[bold {STYLES[place]}]{topic}[/]  a message as it came, with headers that say why:")
            headers = Table.grid(padding=(0, 2))
            for name, value in content.items():
                headers.add_row(Text(f"  {name}", "cyan"), Text(value))
            console.print(headers)
        else:
            console.print(f"\n[bold {STYLES[place]}]{topic}[/]  {_title(first[place])}")
            console.print(
                Syntax(shortened(content), "json", theme="ansi_dark", background_color="default", word_wrap=True)
            )


def _title(seen: Seen) -> str:
    if not seen.deciding:
        return "one of the verdicts, shortened:"
    return f"one of the verdicts, shortened; frame {min(seen.deciding)} (from 0) decided:"


def shortened(verdict: Mapping[str, Any]) -> str:
    """Keep of a verdict what explains it, as JSON with a line for each member."""
    image = verdict["image"]
    kept = {
        "verdict_id": verdict["verdict_id"],
        "subject": verdict["subject"],
        "image": {"url": image["url"]}
        if image["url"]
        else {"ref": {name: image["ref"][name] for name in ("bucket", "key")}},
        "decision": verdict["decision"],
        "decided_by": verdict["decided_by"],
        "coverage": verdict["coverage"],
        "reasons": [_shortened(reason) for reason in verdict["reasons"]],
        "error": verdict["error"],
        "timing": {name: verdict["timing"][name] for name in ("queued_ms", "provider_ms")},
    }
    return "{\n" + ",\n".join(f'  "{name}": {_spread(value)}' for name, value in kept.items()) + "\n}"


def _shortened(reason: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a reason what it says, and the frame that it is about where it is about one."""
    kept = {name: reason[name] for name in ("rule", "label", "confidence")}
    return kept if reason["frame"] is None else {**kept, "frame": reason["frame"]}


def _spread(value: object) -> str:
    """Write a value on one line, or a list on a line for each of its items."""
    if not isinstance(value, list) or not value:
        return orjson.dumps(value).decode()
    return "[\n" + ",\n".join(f"    {orjson.dumps(item).decode()}" for item in value) + "\n  ]"


def print_tables(console: Console, rows: Sequence[Row], facts: Sequence[Fact], titles: Mapping[str, str]) -> None:
    """Print every kind of upload with what became of it, `titles` before the kinds they name, then what must hold."""
    outcomes = _table("what was uploaded", "must come to")
    kind = None
    for row in rows:
        if row.kind != kind and row.kind in titles:
            outcomes.add_row(Text(titles[row.kind], "dim"))
        outcomes.add_row(
            "" if row.kind == kind else f"  {row.kind}",
            Text(str(row.expected), STYLES[row.expected.place]),
            str(row.wanted),
            str(row.right),
            _OK if row.ok else _WRONG,
        )
        kind = row.kind
    figures = _table("what must hold")
    for fact in facts:
        excused = fact.ok and fact.seen != fact.expected
        mark = _EXCUSED if excused else _OK if fact.ok else _WRONG
        figures.add_row(fact.name, str(fact.expected), str(fact.seen), mark)
    console.print("", outcomes, "", figures)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold underline")
    for column in columns:
        table.add_column(column, no_wrap=True)
    table.add_column("expected", justify="right")
    table.add_column("seen", justify="right")
    table.add_column("")
    return table


def print_review(console: Console, reviewed: Reviewed) -> None:
    """Say what a reviewer decided, and what came of it."""
    console.print("\n[bold]People decide[/bold]")
    for line in lines(reviewed):
        console.print(f"  {line}", markup=False)


def print_conclusion(
    console: Console,
    tally: Tally,
    rows: Sequence[Row],
    facts: Sequence[Fact],
    options: DemoOptions,
    charges: Charges,
    elapsed: float,
) -> None:
    """Say in a sentence how it went, or in one for each difference what went wrong."""
    if not all_ok(rows, facts):
        console.print("\n[bold red]✗ Not everything is as it must be:[/bold red]")
        for difference in differences(rows, facts):
            console.print(f"  {difference}", markup=False)
    else:
        console.print(
            f"\n[green]✓[/green] All {options.events} uploads came to what they must, in {elapsed:.1f} s.\n"
            f"  The provider had {charges.calls} calls, at most {charges.busiest_second} in any second; "
            f"{options.qps} were allowed."
        )
        for line in of_private_images(tally):
            console.print(f"  {line}")
    for excuse in excuses(facts):
        console.print(f"  {excuse}", style="yellow")
    if all_ok(rows, facts) and not options.keep:
        console.print("\n[dim]To look around while everything runs: make demo ARGS=--keep[/dim]")


def print_invitation(console: Console, stage: Stage, config: Config, options: DemoOptions) -> None:
    """Say what can be tried while everything runs."""
    servers = stage.broker.bootstrap_servers
    settings = f"--config {options.config} --set kafka.bootstrap_servers={servers}"
    offsets = f"{sys.executable} -m consumer offsets {settings}"
    console.print("\n[bold]Everything goes on running until Ctrl-C.[/bold] In another terminal, try:\n")
    block = config.kafka.outputs.block
    for command, what in (
        (
            f"curl -s {stage.service.metrics_url}/metrics | grep ^moderation_messages_total",
            "what became of the messages",
        ),
        (f"{offsets} --url {stage.service.metrics_url}", "where the service stands in each partition"),
        (f"curl -s {stage.emulator.url}/emulator/stats", "what the provider was asked, and would charge for"),
        (f"curl -s {stage.emulator.url}/emulator/calls | tail -1", "the last call"),
        (f"curl -s {stage.bucket}/{PRIVATE_BUCKET}/{quote(RED)}", "an object of the private bucket, without its key"),
        (f"kcat -b {servers} -t {block} -C -e -o -1", "the last verdicts, if kcat is installed"),
        (f"tail -3 {stage.service.log}", "what the service logs"),
    ):
        console.print(f"  [dim]# {what}[/dim]\n  {escape(command)}", soft_wrap=True)
    console.print("\n[dim]The embedded broker: " + escape(" ".join(stage.broker.limits)) + "[/dim]")


def print_logs(console: Console, folder: Path) -> None:
    """Print where the logs are, and the end of the service's."""
    service = folder / "service.log"
    lines = service.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:] if service.exists() else []
    if lines:
        console.print(f"\n[bold]The service's last log lines[/bold] (all logs are in {folder}):", soft_wrap=True)
        console.print("\n".join(lines), markup=False, style="dim", soft_wrap=True)
    else:
        console.print(f"The logs are in {folder}.", soft_wrap=True)
