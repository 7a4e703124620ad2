"""The options of `offsets`. What it does stands in `offsets.py` and `accept.py`, imported once it is asked for."""

import os
import time
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, usual
from consumer.errors import Misconfigured

offsets_app = typer.Typer()


@offsets_app.callback(invoke_without_command=True)
def offsets(
    context: typer.Context,
    config: ConfigFile = None,
    overrides: Overrides = None,
    urls: Annotated[
        list[str] | None,
        typer.Option(
            "--url", help="A running replica's health.metrics_port, such as http://127.0.0.1:9464; may be repeated."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
) -> None:
    """
    Show the group's offsets in each partition, and which records running replicas have open, and why.

    `offsets accept` lets the group start where it was set by hand.
    """
    import asyncio

    import orjson
    from rich.console import Console

    from consumer.commands import offsets as command
    from consumer.config.loading import load_config

    if context.invoked_subcommand is not None:
        if config or overrides or urls or as_json:
            raise Misconfigured([f"options of `offsets` before {context.invoked_subcommand}: write them behind it"])
        return
    settings = load_config(usual(config), os.environ, overrides or ())
    standings = asyncio.run(command.standings(settings.kafka))
    running = asyncio.run(command.open_records(urls or (), os.environ))
    if as_json:
        for row in command.as_json(standings, running):
            typer.echo(orjson.dumps(row).decode())
    else:
        Console(highlight=False, soft_wrap=True).print(command.table(standings, running, time.time()))


@offsets_app.command("accept")
def accept_offsets(
    partitions: Annotated[
        list[str] | None,
        typer.Argument(metavar="TOPIC[/PARTITION]", help="As `offsets` shows them.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All partitions of kafka.topics.")] = False,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """
    Let the group start at offsets that are committed and not the service's: after a reset with Kafka's tools.

    What is before them may never be judged. Needs a key that signs (identity.sign). With the group stopped they are
    committed once more, signed; while it runs, the replicas that hold these partitions find the acceptance.
    """
    import asyncio

    from rich.console import Console

    from consumer.commands import accept as command
    from consumer.config.loading import load_config

    settings = load_config(usual(config), os.environ, overrides or ())
    accepted = asyncio.run(command.accept(settings, partitions or (), everything, time.time))
    Console(highlight=False, soft_wrap=True).print(command.table(accepted))
