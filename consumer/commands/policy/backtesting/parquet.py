"""
Verdicts out of Parquet, through DuckDB: a column `value` that holds them as JSON, or a column for each member.
"""

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

from consumer.errors import Misconfigured
from consumer.extras import extra

_PIECE = 2_048  # rows
_MEMORY = "512MB"
_TEXTS = {"VARCHAR", "BLOB", "JSON"}
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(\.\d{1,6})?(\+00(:00)?)?")


def parquet_rows(path: Path) -> Generator[tuple[int, int, bytes | str], None, None]:
    """
    Yield each row's number from 1, how many there are, and the verdict as JSON.

    Raises:
        Misconfigured: DuckDB is not installed, or cannot read the file.
    """
    with extra("backtest", "Reading Parquet"):
        import duckdb

    name = "".join(f"[{each}]" if each in "*?[" else each for each in str(path))  # DuckDB takes it for a pattern
    # Nothing is fetched: neither another file nor an extension.
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    try:
        with duckdb.connect(":memory:", config=options) as database:
            database.execute("SET TimeZone = 'UTC'")
            columns = database.execute("DESCRIBE SELECT * FROM read_parquet($1)", [name]).fetchall()
            counted = database.execute("SELECT count(*) FROM read_parquet($1)", [name]).fetchone()
            what = "value" if _has_values(columns) else "to_json(row)"
            found = database.execute(f"SELECT {what} FROM read_parquet($1) AS row", [name])  # noqa: S608
            number, total = 0, counted[0] if counted else 0
            while piece := found.fetchmany(_PIECE):
                for (row,) in piece:
                    number += 1
                    yield number, total, b"null" if row is None else row
    except duckdb.Error as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Misconfigured([f"{path}: cannot be read as Parquet: {said[:300]}"]) from error


def _has_values(columns: list[tuple[Any, ...]]) -> bool:
    return any(name == "value" and kind in _TEXTS for name, kind, *_ in columns)


def mended(verdict: Any) -> Any:
    """Write the moments of a verdict as verdicts have them, which a column of timestamps has not."""
    if isinstance(verdict, dict) and isinstance(timing := verdict.get("timing"), dict):
        for name in ("decided", "as_of"):
            moment = timing.get(name)
            if isinstance(moment, str) and (told := _MOMENT.fullmatch(moment)):
                timing[name] = f"{told[1]}T{told[2]}{(told[3] or '.')[:4].ljust(4, '0')}Z"
    return verdict
