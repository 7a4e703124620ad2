"""Tests that documents name, as `tests/path.py` or `tests/path.py::test_name` between backquotes."""

import re

from tests.rig.replica import ROOT

NAMED = re.compile(r"`((?:bench/)?tests/[\w/]+\.py)(?:::(test_\w+))?`")


def named_in(text: str) -> list[str]:
    """Those that are named there, each as it stands."""
    return [found[0].strip("`") for found in NAMED.finditer(text)]


def missing(names: list[str]) -> list[str]:
    """Those whose file is not there, or has no such test."""
    return [name for name in names if not _exists(*name.partition("::")[::2])]


def _exists(path: str, name: str) -> bool:
    file = ROOT / path
    return file.is_file() and (not name or f"def {name}(" in file.read_text())
