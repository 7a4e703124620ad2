"""A scan on a terminal."""

import asyncio
import os
import re
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from tests.commands.scan.account import Account, account, painted
from tests.rig.emulated import KEY
from tests.rig.replica import ROOT, surroundings

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


async def on_a_terminal(provider: Account, *arguments: object, columns: int = 250) -> tuple[int, str]:
    """Run a scan whose output and errors are a terminal; return its exit status, and what is written there."""
    ours, theirs = os.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumer", *provider.arguments(*arguments),
        cwd=ROOT, env={**surroundings(), **KEY, "TERM": "xterm", "COLUMNS": str(columns)},
        stdin=asyncio.subprocess.DEVNULL, stdout=theirs,
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = asyncio.create_task(asyncio.to_thread(all_of, ours))
    status = await process.wait()
    return status, await written


def all_of(terminal: int) -> str:
    """Read until nobody has the other end any more."""
    pieces = []
    try:
        while piece := os.read(terminal, 65_536):
            pieces.append(piece)
    except OSError:  # Linux says so
        pass
    os.close(terminal)
    return b"".join(pieces).decode()


async def test_a_terminal_shows_progress_and_then_a_table(tmp_path: Path) -> None:
    """
    And no JSON, which goes into a file where that is asked for.
    """
    async with account(tmp_path, latency=0.3) as provider:
        painted(provider.images, fire="red", sky="blue")
        status, written = await on_a_terminal(
            provider, provider.images, "--alone", "--price", 1000, "--json", tmp_path / "lines", "--fail-on", "block"
        )

    plain = ESCAPES.sub("", written).replace("\r", "\n")
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    table = [line.split() for line in lines if line.startswith(("block  ", "pass  "))]
    assert status == 1
    assert any(re.search(r"━ 0/2 images  0 calls billed = 0.00 .* left", line) for line in lines)
    assert [(row[0], row[-1]) for row in table] == [
        ("block", f"{provider.images}/fire.png"), ("pass", f"{provider.images}/sky.png"),
    ]  # fmt: skip
    assert lines[-1].endswith("1 block, 0 review, 1 pass; 2 calls billed = 2.00.")
    assert "{" not in written
    assert len((tmp_path / "lines").read_bytes().splitlines()) == 2


async def test_a_dry_run_is_told_in_words(tmp_path: Path) -> None:
    """
    What there is, what it costs, and how long it takes.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, fire="red", sky="blue")
        status, written = await on_a_terminal(provider, provider.images, "--dry-run", "--qps", 1)

    assert status == 0
    assert written.startswith("2 images; ")
    assert "2 calls." in written
    assert "At 1 call a second: 2 s" in written
