"""The options of `policy redecide`. What it does stands in `redecide/`, and is imported once it is asked for."""

import os
from pathlib import Path
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, usual


def redecide(
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The policy that is to decide again.")],
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back: a number and m, h, d or w.")] = "30d",
    apply: Annotated[bool, typer.Option("--apply", help="Publish what is decided otherwise.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Records a second that are published.")] = 100.0,
    memory: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="At most for what is remembered: 300 bytes a verdict.")
    ] = 512,
    rescan: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="Have images asked about again that need new calls: publish them there."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether --rescan may cost what it says.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the numbers last.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """
    Decide again, by another policy, what is published: list the flips, and with --apply publish them.

    No call is made, but for what --rescan has the service ask about again.

    What is published says what it supersedes. A second run publishes nothing; one that was ended goes on when it is run
    again. Where a person has decided, or a pinned rule sets a floor, people are told instead. Exits with 0, flips or
    not, with 1 where it could not go on, and with 2 where an option, the policy or the configuration is wrong.
    """
    from consumer.commands.policy.redecide import command, showing

    summary = command.redecide(
        candidate, usual(config), os.environ, overrides or (),
        since=since, apply=apply, rate=rate, memory=memory, as_json=as_json, rescan=rescan, yes=yes,
    )  # fmt: skip
    typer.echo(
        showing.summary_as_json(summary, applied=apply) if as_json else showing.summary_as_text(summary, applied=apply)
    )
