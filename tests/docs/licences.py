"""
docs/licences.md: what the service, its extras and its demo depend on, and under which licences.

    make licences     writes it
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from tests.rig.replica import ROOT

PAGE = ROOT / "docs" / "licences.md"
LOCKS = {
    "run": "the service",
    "otel": "traces",
    "stores": "private buckets",
    "images": "decoded images",
    "demo": "the demo",
}
"""The locks of what is shipped, and what needs them; each of the others has the first one's packages too."""

READ_BY_HAND = {
    "colorama": "BSD-3-Clause",  # for Windows only, and installed nowhere else
    "python-dateutil": "Apache-2.0 AND BSD-3-Clause",  # of its newer and its older parts
}
"""Licences of packages whose metadata do not name them, by their licence files."""

SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
}
"""SPDX identifiers of what older metadata say in other words."""

ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-CMU", "PSF-2.0"}
"""Licences that ask for a notice and no more."""

ALLOWED_BY_NAME = {("certifi", "MPL-2.0"), ("orjson", "MPL-2.0")}
"""The Mozilla licence asks for the source of changed files of the package, and we change none."""

INTRODUCTION = """\
# Licences of what it depends on

Each package of `locks/run.txt`, `locks/otel.txt`, `locks/stores.txt`, `locks/images.txt` (all four are in the image)
and `locks/demo.txt`, with the licence that its own metadata name. Written by `make licences`; a test compares it with
the locks, and refuses licences that `tests/docs/licences.py` does not allow. Wheels may contain libraries of others
under licences of their own, such as librdkafka in confluent-kafka: those stand in each package's licence files.

The extra `heif` is not among them and not in the image: the wheels of pillow-heif contain x265, which is under the GPL.
Installing it is up to you.

Tools that tests run are not here, as they are not shipped. Of those, MinIO is under the AGPL-3.0: `make minio` builds
it unchanged from its module, tests start it as a process of its own, and nothing of it is linked, copied or passed on.

"""


class NoLicence(Exception):
    """A package's licence is not known; the message says what its metadata have."""


@dataclass(frozen=True, slots=True)
class Package:
    """A locked package."""

    name: str
    version: str
    needed_by: str


def locked() -> Iterator[Package]:
    """Every package of the locks, once, by name."""
    found: dict[str, Package] = {}
    for lock, needed_by in LOCKS.items():
        text = (ROOT / "locks" / f"{lock}.txt").read_text()
        for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE):
            found.setdefault(name, Package(name, version, needed_by))
    yield from (found[name] for name in sorted(found))


def licence_of(name: str) -> str:
    """An SPDX expression: what was read by hand, else what the installed package's metadata say. Raises NoLicence."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        raise NoLicence(f"{name} is not installed here: read its licence, and name it in READ_BY_HAND") from None
    expression, licence, classifiers = (
        said.get_all(field) or [] for field in ("License-Expression", "License", "Classifier")
    )
    named = [each.rsplit(" :: ", 1)[-1] for each in classifiers if each.startswith("License ::")]
    return spdx(name, "".join(expression), "".join(licence), named)


def spdx(name: str, expression: str, licence: str, classifiers: list[str]) -> str:
    """An SPDX expression from what metadata say, the newest field first. Raises NoLicence where none names one."""
    if expression:
        return expression
    for said in (licence, *(classifiers if len(classifiers) == 1 else [])):
        if said in ALLOWED or said in SPELLINGS or (name, said) in ALLOWED_BY_NAME:
            return SPELLINGS.get(said, said)
    raise NoLicence(f"{name} names no licence that is known: {licence[:60]!r}, {classifiers}: read it, and name it")


def refused(name: str, expression: str) -> list[str]:
    """The licences of an SPDX expression that are not allowed, alternatives included."""
    named = re.findall(r"[\w.+-]+", re.sub(r"\b(AND|OR|WITH)\b", " ", expression))
    return [each for each in named if each not in ALLOWED and (name, each) not in ALLOWED_BY_NAME]


def page() -> str:
    """The page as it must be. Raises NoLicence."""
    rows = [f"| {each.name} | {each.version} | {licence_of(each.name)} | {each.needed_by} |" for each in locked()]
    return INTRODUCTION + "\n".join(["| package | version | licence | needed by |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    try:
        Path(PAGE).write_text(page())
    except NoLicence as error:
        sys.exit(str(error))
