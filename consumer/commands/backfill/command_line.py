"""The options of `backfill`. What it does stands in `backfilling.py`, which is imported once it is asked for."""

import os
import resource
import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, usual


def backfill(
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A list of images: CSV with a line of names (.csv), or lines: URL or JSON."),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(metavar="STORE/BUCKET[/PREFIX]", help="All objects of a bucket, in one of the stores."),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="All messages of a topic, such as dead letters.")
    ] = None,
    lane: Annotated[
        str | None, typer.Option(help="The lane. [default: backfill, or the only one]", show_default=False)
    ] = None,
    into: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Its topic, where it has several.", show_default=False)
    ] = None,
    name: Annotated[
        str, typer.Option("--run", metavar="NAME", help="What a run has sent it does not send again.")
    ] = "backfill",
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="Events a second. [default: the lane's calls a second]", show_default=False),
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0.0, metavar="PER_THOUSAND", help="What a thousand calls cost.")
    ] = None,
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="Leave out what would be a dead letter, instead of sending nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent and cost. Sends nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it may cost what it says.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write what it came to as a JSON object.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """
    Have images judged that are there already: send an upload event for each into a lane's topic. Each is billed.

    Everything is read and checked first; then it says what that costs, and asks. The same command goes on after
    whatever ended it, and sends nothing twice. Exits with 0, with 1 where it could not go on or nobody said yes, with 2
    where a line, an option or the configuration is wrong (nothing was sent), and with 3 where a signal ended it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold presigned URLs

    from consumer.commands.backfill.backfilling import run
    from consumer.commands.backfill.options import BackfillOptions

    options = BackfillOptions(
        manifest=manifest, bucket=bucket, topic=topic, config=usual(config), overrides=overrides or (), lane=lane,
        into=into, run=name, rate=rate, price=price, skip_wrong=skip_wrong, dry_run=dry_run, yes=yes, json=as_json,
    )  # fmt: skip
    sys.exit(run(options, os.environ))
