"""Every test that docs/guarantees.md names exists."""

import re

from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "guarantees.md").read_text()
NAMED = re.compile(r"(?:(tests/[\w/]+\.py)|…)?(?:(?:::|…)(test_\w+)(…?))?")


def test_every_test_that_is_named_exists() -> None:
    """
    A file by its path, a test in it by its name or, with `…`, by how that begins. `…test_` is of the file before it.
    """
    missing, path = [], ""
    for code in re.findall(r"`([^`\n]+)`", PAGE):
        for found in NAMED.finditer(code):
            if found[1]:
                path = found[1]
                if not (ROOT / path).exists():
                    missing.append(path)
                    continue
            if found[2] and path:
                rest = "" if found[3] else r"\("
                if not re.search(rf"def {found[2]}{rest}", (ROOT / path).read_text()):
                    missing.append(f"{path}::{found[2]}")

    assert missing == []
    assert path
