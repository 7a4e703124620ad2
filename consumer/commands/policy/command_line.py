"""The options of `policy`. What its commands do stands beside it, and is imported once it is asked for."""

import sys
from pathlib import Path
from typing import Annotated

import typer

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
    file: PolicyFile,
    tests: TestsFile = None,
    base: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The policy before it, to see whether the version was raised.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Say what is wrong with a policy, and what is probably not meant.

    Exits with 2 where the service would refuse it, with 1 where something is unsafe and not acknowledged in the file,
    and else with 0, warnings or not.
    """
    from consumer.commands.policy import linting as command

    found = command.lint(file, tests, base)
    typer.echo(command.as_json(found) if as_json else command.as_text(found, file))
    sys.exit(command.exit_status(found))


@policy_app.command("test")
def run_tests(file: PolicyFile, tests: TestsFile = None, as_json: AsJson = False) -> None:
    """
    Decide by a policy about the answers in its tests, and compare.

    Exits with 1 where one decides otherwise than it says, and with 2 where a file cannot be read.
    """
    from consumer.commands.policy import fixtures as command

    ended = command.run(file, tests)
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
    typer.echo(command.as_json(found) if as_json else command.as_text(found))
    sys.exit(command.exit_status(found))
