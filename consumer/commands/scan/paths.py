"""Files that a scan would write over: what it writes must be no other file that it was given."""

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from consumer.commands.scan.files import path_of
from consumer.commands.scan.items import FILE, Item, printable
from consumer.commands.scan.options import ScanOptions

_Identity = tuple[object, ...]


class _Named(NamedTuple):
    option: str
    path: Path


def clashes(options: ScanOptions, items: Sequence[Item], stdout: int | None) -> Iterator[str]:
    """
    Say which file that a scan writes is another that it writes or reads, by whatever names and links.

    `stdout` is the descriptor of standard output, where results are written to it. Devices and pipes are no files that
    are lost: `/dev/null` may be named twice.
    """
    written = _given(("--json", options.json), ("--html", options.html), ("--state", options.state))
    read = _given(("--manifest", options.manifest), ("--config", options.config), ("--policy", options.policy))
    pairs = [*combinations(written, 2), *((one, other) for one in written for other in read)]
    for one, other in pairs:
        if _identity(one.path) & _identity(other.path):
            yield f"{one.option} and {other.option} are one file, {one.path}: name two"
    output = frozenset[_Identity]() if stdout is None else _of_status(os.fstat(stdout))
    images = {os.fsdecode(path_of(item.source)) for item in items if item.source.startswith(FILE)}
    for each in written:
        if _identity(each.path) & output:
            yield f"{each.option} and standard output are one file, {each.path}: name two"
        if os.path.realpath(each.path) in images:
            yield f"{each.option}: {printable(str(each.path))} is an image that is to be judged, and would be lost"


def _given(*named: tuple[str, Path | None]) -> list[_Named]:
    return [_Named(option, path) for option, path in named if path is not None]


def _identity(path: Path) -> frozenset[_Identity]:
    """What two names of one file have in common: where they lead to, or that it is the same file."""
    try:
        return _of_status(path.stat())
    except OSError:  # it is not there yet
        return frozenset({("path", os.path.realpath(path))})


def _of_status(status: os.stat_result) -> frozenset[_Identity]:
    return frozenset({("file", status.st_dev, status.st_ino)}) if stat.S_ISREG(status.st_mode) else frozenset()
