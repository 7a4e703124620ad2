"""
Child processes that end when their context does, or their parent.
"""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from tests.rig.kafka.broker import TETHER

_ROOT = Path(__file__).parents[2]
_GRACE = 10.0


@asynccontextmanager
async def running(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, output: int | IO[bytes] | None = None
) -> AsyncIterator[Process]:
    """
    Run `command` from the repository's root, and stop it at the end: SIGTERM, SIGKILL after ten seconds.

    `environment` is added to ours. `output` takes its standard output and, where it is a file, its standard error too.
    """
    process = await asyncio.create_subprocess_exec(
        # -I -S: the tether needs nothing of the environment, and starts sooner without it.
        *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid())),
        *command,
        cwd=_ROOT,
        env={**_direct(), **(environment or {})},
        # A terminal's Ctrl-C is for us alone: we stop them in order.
        start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output if hasattr(output, "fileno") else None,
    )
    try:
        yield process
    finally:
        await stop(process)


async def stop(process: Process) -> int:
    """Stop `process` by its id if it still runs; return its exit status once it has ended."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        process.kill()
    # Reads what is left of its output, so that the pipe is closed as well.
    await process.communicate()
    return await process.wait()


def _direct() -> dict[str, str]:
    """This process's environment without its proxies: all that is measured is on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
