"""What every command has in common."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command

from consumer.cli import app
from tests.commands.cli import command
from tests.rig.replica import ROOT

AFTER_THE_HELP = """
import sys
from consumer.cli import app
try:
    app(["--help"])
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""
THAT_TAKE_TIME = {"aiokafka", "asyncio", "consumer.config", "httpx", "pydantic", "rich", "structlog", "yaml"}
MOST_MODULES = 220  # 194 today: a fifth of a second of CPU

OF_THE_SERVICE = """
import sys
import consumer.app, consumer.cli, consumer.commands.inputs
print(*sys.modules)
"""
OF_FEW = {"PIL", "aiobotocore", "confluent_kafka", "consumer.demo", "consumer.emulator", "duckdb", "opentelemetry"}
MOST_MODULES_OF_THE_SERVICE = 1_000  # 929 today

A_COMMAND_THAT_FAILS = """
import sys
from consumer.cli import app, main

@app.command()
def failing() -> None:
    raise KeyError("https://user:secret@example.com/")

sys.argv = ["moderation-consumer", "failing"]
main()
"""

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
    assert [name for name in COMMANDS if f"\n  {name} " not in ended.output] == []


def test_what_a_command_needs_is_imported_once_it_is_asked_for() -> None:
    """
    The list of commands comes at once: of what takes time to import nothing is.
    """
    ended = subprocess.run([sys.executable, "-c", AFTER_THE_HELP], cwd=ROOT, capture_output=True, text=True, check=True)

    imported = ended.stderr.split()
    assert THAT_TAKE_TIME.isdisjoint(imported)
    assert len(imported) <= MOST_MODULES


def test_the_service_imports_no_more_than_it_needs() -> None:
    """
    How soon it is ready depends on it: what few deployments use is imported where it is switched on.
    """
    ended = subprocess.run([sys.executable, "-c", OF_THE_SERVICE], cwd=ROOT, capture_output=True, text=True, check=True)

    imported = ended.stdout.split()
    assert OF_FEW.isdisjoint(imported)
    assert len(imported) <= MOST_MODULES_OF_THE_SERVICE


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


def test_an_unexpected_error_has_a_status_of_its_own() -> None:
    """
    What commands mean by 1 it is not. It says where it was raised and what to do, and not its text, which may hold a
    credential.
    """
    ended = subprocess.run(
        [sys.executable, "-c", A_COMMAND_THAT_FAILS], cwd=ROOT, capture_output=True, text=True, check=False
    )

    told = ended.stderr.splitlines()
    assert ended.returncode == 3
    assert told[0].startswith("✗ unexpected error: KeyError at ")
    assert "please report this line" in told[0]
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr
