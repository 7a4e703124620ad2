"""
Where results are written as they are decided: JSON lines, on standard output and into a file.

Each has a thread of its own, so that a reader that is slow, or stops, holds up no call. So many lines wait for it; then
nothing new begins until it has read some.
"""

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

from consumer.commands.scan.lines import Result, encoded
from consumer.errors import Misconfigured

MOST_WAITING = 1_000
"""Lines that wait for their reader when no more images begin."""

Failed = Callable[[OSError], None]
"""Is called once for each output that cannot be written; nothing more is written to it."""


class _Output:
    """Writes lines to a descriptor. Made in the event loop, which `failed` is called in as well."""

    def __init__(self, file: int, failed: Failed) -> None:
        self._file = file
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._ended = asyncio.Event()
        self._moved = asyncio.Event()
        self.waiting = 0
        # A daemon: where nobody reads, nobody waits for it at the end of a scan that is ended at once.
        threading.Thread(target=self._write, name="scan output", daemon=True).start()

    def add(self, line: bytes) -> None:
        """Have a line written after those that wait."""
        self.waiting += 1
        self._lines.put(line)

    async def moved(self) -> None:
        """Return once it has written a line."""
        await self._moved.wait()

    def wake(self) -> None:
        """Wake all that wait for it."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def end(self) -> None:
        """Return once all lines are written, or cannot be."""
        self._lines.put(None)
        await self._ended.wait()

    def _write(self) -> None:
        has_failed = False
        while (line := self._lines.get()) is not None:
            try:
                if not has_failed:
                    write_all(self._file, line)
            except OSError as error:
                has_failed = True
                self._in_loop(self._failed, error)
            self._in_loop(self._wrote)
        self._in_loop(self._ended.set)

    def _in_loop(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the scan is over
            self._loop.call_soon_threadsafe(call, *arguments)

    def _wrote(self) -> None:
        self.waiting -= 1
        self.wake()


class Lines:
    """Writes a line for each result, past every buffer of this process. Made by `written`."""

    def __init__(self, outputs: Sequence[_Output], most_waiting: int) -> None:
        self._outputs = outputs
        self._most_waiting = most_waiting
        self._is_given_up = False

    def told(self, result: Result) -> None:
        """Have a result written. Waits for nothing."""
        if self._outputs:
            line = encoded(result)
            for each in self._outputs:
                each.add(line)

    async def room(self) -> None:
        """Return once another image may begin: the readers keep up, or `give_up` was called."""
        for each in self._outputs:
            while each.waiting >= self._most_waiting and not self._is_given_up:
                await each.moved()

    def give_up(self) -> None:
        """Let nothing wait for room any more."""
        self._is_given_up = True
        for each in self._outputs:
            each.wake()


def write_all(file: int, data: bytes) -> None:
    """Write everything to a descriptor. `OSError` escapes, and what was written of it then is a beginning."""
    while data:
        try:
            data = data[os.write(file, data) :]
        except BlockingIOError:  # a pipe that another process has made so
            poll = select.poll()
            poll.register(file, select.POLLOUT)
            poll.poll()


@contextlib.asynccontextmanager
async def written(
    path: Path | None, stdout: int | None, failed: Failed, *, most_waiting: int = MOST_WAITING
) -> AsyncIterator[Lines]:
    """
    Write to these until the context ends, and all is written then, unless it is cancelled.

    Raises:
        Misconfigured: the file cannot be written.
    """
    files = [] if stdout is None else [stdout]
    ours = None
    if path is not None:
        try:
            ours = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _not_writable("--json", path, error) from None
        files.append(ours)
    outputs = [_Output(file, failed) for file in files]
    try:
        yield Lines(outputs, most_waiting)
    except Exception:  # what was told before it is a result all the same
        await _ended(outputs)
        raise
    await _ended(outputs)
    if ours is not None:  # after an error it is left to the end of the process
        try:
            os.close(ours)
        except OSError as error:
            failed(error)


async def _ended(outputs: Sequence[_Output]) -> None:
    for each in outputs:
        await each.end()


def must_be_writable(option: str, path: Path) -> None:
    """
    Find out before anything is paid for.

    Raises:
        Misconfigured: a file of that path cannot be written.
    """
    try:
        path.open("ab").close()
    except OSError as error:
        raise _not_writable(option, path, error) from None


def _not_writable(option: str, path: Path, error: OSError) -> Misconfigured:
    return Misconfigured([f"{option}: {path} cannot be written: {error.strerror}"])
