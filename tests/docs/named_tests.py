"""Tests that documents name between backquotes."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.rig.replica import ROOT

NAMED = re.compile(r"(tests/[\w/]+\.py)?(?:(?:::|…)(test_\w+)(…?))?")


class Named(NamedTuple):
    """A file, or a test of it; with `begins` all whose names begin so."""

    path: str
    name: str = ""
    begins: bool = False

    @property
    def exists(self) -> bool:
        file = ROOT / self.path
        rest = "" if self.begins else "("
        return file.is_file() and (not self.name or f"def {self.name}{rest}" in file.read_text())


def named_in(text: str) -> Iterator[Named]:
    """
    Those that are named there: a file by its path, also in a command, a test in it as `path::name` or `path::name…`.

    `…name` is of the file before it.
    """
    path = ""
    for code in re.findall(r"`([^`\n]+)`", text):
        for found in NAMED.finditer(code):
            path = found[1] or path
            if found[1] or (found[2] and path):
                yield Named(path, found[2] or "", bool(found[3]))
