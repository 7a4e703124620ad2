"""The command line as an operator meets it: arguments in, exit status and text out."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests.rig.replica import ROOT, surroundings

TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    status: int
    output: str
    errors: str


async def command(*arguments: str, environment: Mapping[str, str] | None = None, given: bytes = b"") -> Ended:
    """Run `moderation-consumer` with these arguments, without the account's key unless `environment` has it."""
    inherited = {
        name: value for name, value in surroundings().items() if not name.startswith(("ALIBABA_", "MODERATION_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer", *arguments,
        cwd=ROOT,
        env={**inherited, "COLUMNS": "100", **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(TIMEOUT):
        output, errors = await process.communicate(given)
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())
