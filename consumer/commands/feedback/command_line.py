"""The options of `feedback`. What it does stands beside it, and is imported once it is asked for."""

import os
import resource
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, Overrides, usual

feedback_app = typer.Typer(invoke_without_command=True)

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say in the log what the provider would be told, and tell it nothing. Needs feedback.enabled."
    ),
]
NotSent = Annotated[bool, typer.Option("--not-sent", help="Also what was not sent, and why.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


@feedback_app.callback()
def feedback(
    context: typer.Context, config: ConfigFile = None, overrides: Overrides = None, dry_run: DryRun = False
) -> None:
    """
    Take people's decisions until SIGTERM: each becomes a verdict that counts before the service's, and is remembered.

    It reads `reviews.topic` and the topics of verdicts, in a group of its own, beside the service. Where
    `feedback.enabled` is set, the provider's 1.0 service is told what enough reviewers agree on; whether Image
    Moderation 2.0 honours that is not established.
    """
    if context.invoked_subcommand is not None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys

    from consumer.commands.feedback.running import run as take_decisions
    from consumer.commands.feedback.sending import ProviderAccess
    from consumer.config.identity import read_keys
    from consumer.config.loading import load_config
    from consumer.journal.signatures import Keyring
    from consumer.observability.logs import set_up_logs

    settings = load_config(usual(config), os.environ, overrides or ())
    keyring = Keyring(read_keys(settings.identity), settings.identity.sign)
    access = ProviderAccess.of(settings, os.environ, dry_run=dry_run)
    set_up_logs(settings.logs)
    take_decisions(settings, keyring, access=access)


@feedback_app.command()
def ledger(
    config: ConfigFile = None, overrides: Overrides = None, not_sent: NotSent = False, as_json: AsJson = False
) -> None:
    """
    Say what the provider was told, and who decides otherwise by now.

    Its feedback library can be neither switched off nor deleted by a call: take single images out in its console.
    """
    import asyncio

    from consumer.commands.feedback.ledger import NOTE, lines, written
    from consumer.config.identity import read_keys
    from consumer.config.loading import load_config
    from consumer.journal.signatures import Keyring

    settings = load_config(usual(config), os.environ, overrides or ())
    keyring = Keyring(read_keys(settings.identity), settings.identity.sign)
    found = asyncio.run(lines(settings, keyring))
    for line in written(found, as_json=as_json, not_sent=not_sent):
        typer.echo(line)
    typer.echo(NOTE, err=True)
