"""The command line: parses, calls, prints. What a command does stands elsewhere."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from consumer.config import load_config, load_credentials, load_policy
from consumer.errors import ConsumerError, Misconfigured

app = typer.Typer(
    name="moderation-consumer",
    help="Reads upload events from Kafka, asks Alibaba Cloud Image Moderation about each image, publishes verdicts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigFile = Annotated[Path, typer.Option("--config", help="The YAML file; every setting is in config/consumer.yaml.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, such as quota.qps=50.")
]


@app.command()
def run(config: ConfigFile = Path("config/consumer.yaml"), overrides: Overrides = None) -> None:
    """Serve until SIGTERM: read uploads, judge, publish verdicts."""
    from consumer.app import run as run_service
    from consumer.observability.logs import set_up_logs

    settings = load_config(config, os.environ, overrides or ())
    policy, credentials = load_policy(settings.policy), load_credentials(os.environ)
    set_up_logs(settings.logs)
    run_service(settings, policy, credentials)


def main() -> None:
    """Run a command. Exit 2: the configuration is wrong; 1: it could not go on."""
    try:
        app()
    except Misconfigured as error:
        for problem in error.problems:
            errors.print(f"[red]✗[/red] {problem}", markup=True)
        sys.exit(2)
    except ConsumerError as error:
        errors.print(f"[red]✗[/red] {error}")
        sys.exit(1)
