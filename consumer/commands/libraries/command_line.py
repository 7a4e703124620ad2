"""The options of `libraries`. What its commands do stands beside it, and is imported once it is asked for."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.commands.arguments import ConfigFile, usual

libraries_app = typer.Typer(no_args_is_help=True)

LibrariesFile = Annotated[Path, typer.Argument(metavar="FILE", help="The libraries.")]
LockFile = Annotated[
    Path | None,
    typer.Option(
        "--lock",
        metavar="FILE",
        help="Their ids at the account. [default: libraries.lock.yaml beside libraries.yaml, and likewise]",
        show_default=False,
    ),
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the 1.0 service is called, such as an emulator's. [default: the provider's]",
        show_default=False,
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Delete and create again what an update cannot change. All that is in it is lost."),
]
Remove = Annotated[
    bool, typer.Option("--remove", help="Delete libraries that the lock has and the file does not have any more.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
HERE = Path("config/libraries.yaml")


@libraries_app.callback()
def libraries() -> None:
    """Bring the account's image and keyword libraries (1.0 service) to what a file says of them."""


@libraries_app.command()
def plan(
    file: LibrariesFile = HERE,
    lock: LockFile = None,
    config: ConfigFile = None,
    endpoint: Endpoint = None,
    replace: Replace = False,
    remove: Remove = False,
    as_json: AsJson = False,
) -> None:
    """
    Say what `apply` would do. Nothing is changed.

    Exits with 0 where everything is as the file says, with 1 where something is to be done, and with 2 where something
    is wrong, so that `apply` would do nothing.
    """
    from consumer.commands.libraries import running as command

    options = command.Options(file, lock, usual(config), endpoint, replace, remove, as_json)
    sys.exit(command.run(command.plan, options, os.environ))


@libraries_app.command()
def apply(
    file: LibrariesFile = HERE,
    lock: LockFile = None,
    config: ConfigFile = None,
    endpoint: Endpoint = None,
    replace: Replace = False,
    remove: Remove = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before something is deleted.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Show what is to be done, and do it.

    Exits with 0 where everything is as the file says now, with 1 where a step failed (those before it are done, and the
    lock says so), and with 2 where something is wrong, so that nothing was done.
    """
    from consumer.commands.libraries import running as command

    options = command.Options(file, lock, usual(config), endpoint, replace, remove, as_json, yes)
    sys.exit(command.run(command.apply, options, os.environ))


@libraries_app.command()
def show(
    file: LibrariesFile = HERE,
    lock: LockFile = None,
    config: ConfigFile = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Show what the account has, and which of it is the file's. FILE need not exist."""
    from consumer.commands.libraries import running as command

    options = command.Options(file, lock, usual(config), endpoint, as_json=as_json)
    sys.exit(command.run(command.show, options, os.environ))


@libraries_app.command()
def adopt(
    file: LibrariesFile = HERE,
    lock: LockFile = None,
    config: ConfigFile = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """
    Write libraries that the account has, and the file names, into the lock. Nothing is changed at the account.

    Where their settings differ from the file's, `plan` says so afterwards.
    """
    from consumer.commands.libraries import running as command

    options = command.Options(file, lock, usual(config), endpoint, as_json=as_json)
    sys.exit(command.run(command.adopt, options, os.environ))
