"""docs/licences.md: every dependency that is shipped, and no licence that would bind whoever ships it."""

import re

import pytest

from tests.docs.licences import ALLOWED_BY_NAME, PAGE, READ_BY_HAND, NoLicence, locked, page, refused, spdx

ROWS = re.findall(r"^\| ([a-z0-9._-]+) \| (\S+) \| ([^|]+) \| [^|]+ \|$", PAGE.read_text(), re.MULTILINE)[1:]


def test_every_locked_package_is_listed() -> None:
    """
    With its version and its licence, as `make licences` writes them.
    """
    assert PAGE.read_text() == page()
    assert [(name, version) for name, version, _ in ROWS] == [(each.name, each.version) for each in locked()]


def test_every_licence_is_allowed() -> None:
    """
    Those that ask for a notice alone, and the Mozilla licence of the packages that are named for it.
    """
    assert {name: wrong for name, _, licence in ROWS if (wrong := refused(name, licence))} == {}


def test_no_exception_is_left_over() -> None:
    """
    What was read or allowed by hand is still a dependency.
    """
    names = {each.name for each in locked()}

    assert READ_BY_HAND.keys() | {name for name, _ in ALLOWED_BY_NAME} <= names


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("MIT", []),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", []),
        ("GPL-3.0-only", ["GPL-3.0-only"]),
        ("MIT AND AGPL-3.0-or-later", ["AGPL-3.0-or-later"]),
        ("LGPL-2.1+", ["LGPL-2.1+"]),
        ("MPL-2.0", ["MPL-2.0"]),
        ("Apache-2.0 WITH LLVM-exception", ["LLVM-exception"]),
    ],
)
def test_other_licences_are_refused(expression: str, wrong: list[str]) -> None:
    """
    Wherever they stand in an expression, and one that others are allowed too.
    """
    assert refused("package", expression) == wrong


def test_a_licence_is_read_from_whichever_field_names_it() -> None:
    """
    The expression before the field, the field before a classifier; an older wording becomes its identifier.
    """
    assert spdx("p", "MIT", "GPL", []) == "MIT"
    assert spdx("p", "", "Apache 2.0", ["MIT License"]) == "Apache-2.0"
    assert spdx("p", "", "", ["MIT License"]) == "MIT"


@pytest.mark.parametrize(
    ("licence", "classifiers"),
    [
        ("", []),
        ("GPL v3", []),
        ("Copyright 2025 …", ["BSD License"]),
        ("", ["MIT License", "GNU General Public License (GPL)"]),
    ],
)
def test_a_licence_that_nothing_names_is_not_guessed(licence: str, classifiers: list[str]) -> None:
    """
    Somebody must read it.
    """
    with pytest.raises(NoLicence, match="read it"):
        spdx("p", "", licence, classifiers)
