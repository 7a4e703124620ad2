"""Where people look at a scan. That they cannot be written to stops nothing: what is told there is not the result."""

import contextlib
import os
import sys
from typing import NamedTuple, Self

from rich.console import Console
from rich.markup import escape


class _Console(Console):
    """A console that says no more once nobody reads it; Rich's would end the scan, with the status of a finding."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on, also what Python has in its buffers when it ends."""
        self.quiet = True
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


class Consoles(NamedTuple):
    """Standard output, where it is a terminal, and standard error."""

    output: Console
    errors: Console

    @classmethod
    def usual(cls) -> Self:
        """Those of this process."""
        return cls(
            _Console(highlight=False, emoji=False), _Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
        )

    def warn(self, text: str) -> None:
        """Say something that is not the result."""
        with contextlib.suppress(OSError):
            self.errors.print(f"[yellow]![/yellow] {escape(text)}")

    def say(self, text: str) -> None:
        """Say what there is to say of the result."""
        with contextlib.suppress(OSError):
            self.errors.print(text, markup=False)


def takes_results() -> int | None:
    """The descriptor of standard output, where results are written to it; None where it is a terminal."""
    return None if sys.stdout.isatty() else sys.stdout.fileno()
