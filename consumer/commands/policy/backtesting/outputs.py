"""Where a backtest's result goes: the terminal, and files."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import orjson

from consumer.commands.policy.backtesting.page import page
from consumer.commands.policy.backtesting.progress import Watching, watched
from consumer.commands.policy.backtesting.text import as_csv, shown
from consumer.commands.scan.consoles import Consoles
from consumer.commands.scan.outputs import must_be_writable
from consumer.errors import Misconfigured

_STDOUT = Path("-")


class Outputs:
    """Files that are known to be writable before anything is read."""

    def __init__(self, json: Path | None, csv: Path | None, html: Path | None, consoles: Consoles) -> None:
        """`Misconfigured` escapes where one cannot be written."""
        self._json, self._csv, self._html, self._consoles = json, csv, html, consoles
        problems: list[str] = []
        for option, path in (("--json", json), ("--csv", csv), ("--html", html)):
            if path is None or (option == "--json" and path == _STDOUT):
                continue
            try:
                must_be_writable(option, path)
            except Misconfigured as error:
                problems += error.problems
        if problems:
            raise Misconfigured(problems)

    def watching(self, total: int | None) -> AbstractContextManager[Watching]:
        """Show how far it is, of so much."""
        return watched(self._consoles.errors, total)

    def write(self, result: dict[str, Any]) -> None:
        """Write everything. `OSError` escapes."""
        encoded = orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE)
        if self._json == _STDOUT:
            sys.stdout.buffer.write(encoded)
            sys.stdout.buffer.flush()
        elif self._json:
            self._json.write_bytes(encoded)
        if self._csv:
            self._csv.write_text(as_csv(result), "utf-8")
        if self._html:
            self._html.write_text(page(result), "utf-8")
        if self._json != _STDOUT:
            self._consoles.output.print(shown(result))
