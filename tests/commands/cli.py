"""The command line as an operator meets it: arguments in, exit status and text out."""

import asyncio
import atexit
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from tempfile import TemporaryFile

from tests.rig.replica import surroundings
from tests.rig.warm import WIDTH, Warm

TIMEOUT = 60.0
PIECE = 4096  # bytes that a pipe takes whole


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
    surrounded_by = {**inherited, "COLUMNS": WIDTH, **(environment or {})}
    with TemporaryFile() as output, TemporaryFile() as errors:
        read, write = os.pipe()
        giving = asyncio.create_task(asyncio.to_thread(_give, given, write))
        try:
            async with asyncio.timeout(TIMEOUT):
                status = await _warm().run(arguments, surrounded_by, [read, output.fileno(), errors.fileno()])
        finally:
            os.close(read)
            await giving
        output.seek(0)
        errors.seek(0)
        return Ended(status, output.read().decode(), errors.read().decode())


@cache
def _warm() -> Warm:
    """One for all commands of this process."""
    warm = Warm()
    atexit.register(warm.close)
    return warm


def _give(given: bytes, into: int) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(into, "wb", buffering=0) as file:
        for start in range(0, len(given), PIECE):
            file.write(given[start : start + PIECE])
