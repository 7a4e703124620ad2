"""The options of `policy`. What its commands do stands beside it, and is imported once it is asked for."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.commands.policy.backtesting.command_line import backtest
from consumer.commands.policy.redecide_command_line import redecide

policy_app = typer.Typer(no_args_is_help=True)

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The policy.")]
TestsFile = Annotated[
    Path | None,
    typer.Option(
        "--tests",
        metavar="FILE",
        help="Its tests. [default: policy.tests.yaml beside policy.yaml, and likewise]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


@policy_app.callback()
def policy() -> None:
    """Look at a policy before it decides: lint it, test it, compare it, explain a verdict. No call is made."""


@policy_app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="The policies.", show_default=False)],
    tests: TestsFile = None,
    base: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The policy before it: whether the version was raised, and what is called."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The configuration that it is for: regions, sources, privacy."),
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="Whether the version was raised since the newest verdict. Needs --config."),
    ] = False,
    lock: Annotated[Path | None, typer.Option(metavar="FILE", help="The ids of the libraries that there are.")] = None,
    as_json: AsJson = False,
) -> None:
    """
    Say what is wrong with policies, and what is probably not meant.

    Exits with 2 where the service would refuse one, with 1 where something is unsafe and not acknowledged in the file,
    and else with 0, warnings or not.
    """
    from consumer.commands.policy import linting as command

    options = command.options(files, tests=tests, base=base, config=config, published=published, lock=lock)
    found = {file: command.lint(file, options) for file in files}
    for file, each in found.items():
        _print(command.as_json(each) if as_json else command.as_text(each, file))
    sys.exit(max(map(command.exit_status, found.values())))


@policy_app.command("test")
def run_tests(file: PolicyFile, tests: TestsFile = None, as_json: AsJson = False) -> None:
    """
    Decide by a policy about the answers in its tests, and compare.

    Exits with 1 where one decides otherwise than it says, and with 2 where a file cannot be read.
    """
    from consumer.commands.policy import testing as command
    from consumer.policy_files.fixtures import run

    ended = run(file, tests)
    typer.echo(command.as_json(ended) if as_json else command.as_text(ended))
    sys.exit(0 if all(each.passed for each in ended) else 1)


@policy_app.command()
def explain(
    file: PolicyFile,
    verdict: Annotated[
        Path, typer.Argument(metavar="VERDICT", help="A verdict as it was published, JSON; `-` reads standard input.")
    ],
) -> None:
    """
    Say in words why a policy decides as it does about what a verdict found: every rule, and why it matched or not.

    The policy need not be the one that decided: what another one would do is seen before it is deployed.
    """
    from consumer.commands.policy import explaining as command

    typer.echo(command.explain(file, verdict))


@policy_app.command()
def diff(
    current: Annotated[Path, typer.Argument(metavar="CURRENT", help="The policy that decides now.")],
    candidate: Annotated[Path, typer.Argument(metavar="CANDIDATE", help="The one that is to follow it.")],
    as_json: AsJson = False,
) -> None:
    """
    Say what changes from one policy to another: settings, rules and overlays, and what it does to calls and cost.

    How it is written does not count, such as comments, and defaults that are spelt out. Exits with 0 where nothing is
    different, with 1 where something is, and with 2 where the service would refuse one of them.
    """
    from consumer.commands.policy import diffing as command

    found = command.diff(current, candidate)
    _print(command.as_json(found) if as_json else command.as_text(found))
    sys.exit(command.exit_status(found))


@policy_app.command()
def catalogue(
    page: Annotated[
        Path, typer.Argument(metavar="PAGE", help="The provider's page about Image Moderation 2.0, saved as text.")
    ],
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the catalogue: in a checkout, consumer/vendor_facts/labels.json."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Say which labels the provider's page has that the catalogue of this release lacks, and the other way round.

    Exits with 0 where they agree or the catalogue was written, with 1 where they do not, and with 2 where the page
    cannot be read. No label is refused while the service runs: lint looks labels up, and a metric counts the others.
    """
    from consumer.commands.policy import cataloguing as command

    listed, found = command.compared(page)
    if write is not None:
        command.write(listed, write)
    _print(command.as_json(found) if as_json else command.as_text(found, listed))
    sys.exit(1 if found and write is None else 0)


def _print(text: str) -> None:
    """Print what there is: a program that reads lines gets none where there is nothing to say."""
    if text:
        typer.echo(text)


policy_app.command()(redecide)


policy_app.command("backtest")(backtest)
