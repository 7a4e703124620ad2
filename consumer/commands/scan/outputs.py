"""Where results are written as they are decided: JSON lines, on standard output and into a file."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from consumer.commands.scan.lines import Result, encoded
from consumer.errors import Misconfigured


class Lines:
    """Writes a line for each result, at once and past every buffer: what could not be written is known then."""

    def __init__(self, files: tuple[int, ...]) -> None:
        """`files` are their descriptors."""
        self._files = files

    def told(self, result: Result) -> None:
        """Write a result. `OSError` escapes where it cannot be written."""
        line = encoded(result)
        for file in self._files:
            write_all(file, line)


def write_all(file: int, data: bytes) -> None:
    """Write everything to a descriptor. `OSError` escapes, and what was written of it then is a beginning."""
    while data:
        data = data[os.write(file, data) :]


@contextlib.contextmanager
def written(path: Path | None, stdout: int | None) -> Iterator[Lines]:
    """
    Write to these until the context ends.

    Raises:
        Misconfigured: the file cannot be written.
    """
    with contextlib.ExitStack() as stack:
        files = [] if stdout is None else [stdout]
        if path is not None:
            must_be_writable("--json", path)
            files.append(stack.enter_context(path.open("wb", buffering=0)).fileno())
        yield Lines(tuple(files))


def must_be_writable(option: str, path: Path) -> None:
    """
    Find out before anything is paid for.

    Raises:
        Misconfigured: a file of that path cannot be written.
    """
    try:
        path.open("ab").close()
    except OSError as error:
        raise Misconfigured([f"{option}: {path} cannot be written: {error.strerror}"]) from None
