"""How far back `--since` looks."""

import re

from consumer.errors import Misconfigured

_DURATION = re.compile(r"(\d{1,6})([mhdw])")
_SECONDS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def seconds_in(duration: str) -> float:
    """
    Read a duration such as 30d.

    Raises:
        Misconfigured: it is none.
    """
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise Misconfigured([f"--since: {duration!r} is no duration: write a number and m, h, d or w, such as 30d"])
    return int(found[1]) * _SECONDS[found[2]]
