"""
Verdicts, and people's decisions, out of files: JSON lines, plain, gzip or Zstandard; or Parquet, through DuckDB.

What kind a file is, is told by its first bytes. Nothing is read whole.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from consumer.commands.policy.backtesting.parquet import mended, parquet_rows
from consumer.errors import Misconfigured

LONGEST_LINE = 8_388_608
"""Bytes. A verdict has 64 KiB at the most."""
_GZIP, _ZSTANDARD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
STDIN = Path("-")


Line = tuple[Any, int, int]
"""One that was read: its value, None where it is not JSON; its number from 1; bytes of the file so far, as stored."""


def size_of(paths: list[Path]) -> int | None:
    """
    How many bytes the files have together; None where one is no plain file.

    Raises:
        Misconfigured: some are not there or cannot be read, all at once.
    """
    problems, total, is_known = [], 0, True
    for path in paths:
        if path == STDIN:
            is_known = False
            continue
        try:
            with path.open("rb"):
                total += path.stat().st_size
                is_known = is_known and path.is_file()
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror}")
    if problems:
        raise Misconfigured(problems)
    return total if is_known else None


def lines(path: Path) -> Iterator[Line]:
    """
    Read a file.

    Raises:
        Misconfigured: it cannot be read, or is damaged.
    """
    try:
        with sys.stdin.buffer if path == STDIN else path.open("rb") as file:
            first = file.peek(4)[:4] if isinstance(file, io.BufferedReader) else b""
            if first == _PARQUET:
                yield from _rows(path)
            elif first == _ZSTANDARD:
                yield from _lines(_zstandard(file), file.tell)
            elif first.startswith(_GZIP):
                with gzip.open(file) as plain:
                    yield from _lines(plain, file.tell)
            else:
                yield from _lines(file, None)
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error


def _lines(plain: Any, position: Callable[[], int] | None) -> Iterator[Line]:
    read = 0
    for number, line in enumerate(_split(plain), 1):
        read = position() if position else read + len(line)
        if not line.isspace():
            yield _parsed(line), number, read


def _split(plain: Any) -> Iterator[bytes]:
    """Lines; one that is longer than any verdict comes as an empty object in brackets, which is none."""
    while line := plain.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := plain.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            line = b"[]\n"
        yield line


def _parsed(line: bytes | str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _rows(path: Path) -> Iterator[Line]:
    if path == STDIN:
        raise Misconfigured(["-: Parquet cannot be read from standard input: name the file"])
    size = path.stat().st_size
    with closing(parquet_rows(path)) as rows:
        for number, total, text in rows:
            yield mended(_parsed(text)), number, size * number // total


def _zstandard(file: BinaryIO) -> BinaryIO:
    """
    The plain file, a piece at a time.

    Raises:
        Misconfigured: this Python has no Zstandard.
    """
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14
    except ImportError:
        raise Misconfigured(
            [
                f"{getattr(file, 'name', 'the file')}: is Zstandard, which Python reads from 3.14 on: say "
                "zstd -dc FILE | … --verdicts -"
            ]
        ) from None
    plain: BinaryIO = zstd.open(file)
    return plain
