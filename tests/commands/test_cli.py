"""What every command has in common."""

from importlib.metadata import version

import pytest
from typer.main import get_command

from consumer.cli import app
from tests.commands.cli import command

COMMANDS = sorted(get_command(app).commands)  # type: ignore[attr-defined]


async def test_the_release_can_be_asked_for() -> None:
    """
    `--version` says it, and does nothing else.
    """
    ended = await command("--version")

    assert (ended.status, ended.output) == (0, f"moderation-consumer {version('moderation-consumer')}\n")


async def test_every_command_is_explained() -> None:
    """
    The list of commands has a sentence for each.
    """
    ended = await command("--help")

    assert ended.status == 0
    assert [name for name in COMMANDS if f"│ {name} " not in ended.output] == []


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_commands_help_explains_its_options(name: str) -> None:
    """
    It fits the terminal, and has a sentence for every option.
    """
    ended = await command(name, "--help")

    assert ended.status == 0
    assert max(len(line) for line in ended.output.splitlines()) <= 100
    assert f"Usage: moderation-consumer {name}" in ended.output


async def test_a_problem_is_printed_as_it_is() -> None:
    """
    Square brackets in a problem are no markup.
    """
    ended = await command("config", "--set", "logs.level=x [red]")

    assert ended.status == 2
    assert ended.errors == "✗ --set logs.level: must be one of debug, info, warning, error (given: 'x [red]')\n"
