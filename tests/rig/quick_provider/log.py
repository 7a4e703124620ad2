"""
Which calls arrived when, as the stand-in keeps it and as its readers get it.
"""

import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import orjson


class Arrival(NamedTuple):
    """One call, as it was noted when it came in."""

    at: float
    """When its first byte came: seconds since the epoch, to the microsecond."""

    data_id: str
    image: str
    code: int
    """The code it was given; the vendor bills 200 alone, also where nobody is left to read the answer."""

    caller: str = ""
    """The access key id that signed it, which tells apart replicas that were given one each."""

    signed: str = ""
    """The second in which it was signed, by its caller's clock: `2026-01-02T03:04:05Z`."""


class ArrivalClock:
    """
    Seconds since the epoch, carried forward by the monotonic clock.

    A step of the system's clock can neither squeeze nor stretch a second of the log, and the stamps still compare
    with `time.time()` of other processes.
    """

    def __init__(self) -> None:
        self._epoch_ns = time.time_ns() - time.monotonic_ns()

    def now(self) -> float:
        """Return the time since the epoch in seconds."""
        return (self._epoch_ns + time.monotonic_ns()) / 1e9


class ArrivalLog:
    """Every call since the start or the last `clear`, in the order in which the requests were complete."""

    def __init__(self) -> None:
        # Kept as it is read: bytes are nothing the garbage collector has to walk through while calls arrive.
        self._lines: list[bytes] = []
        self._codes: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._lines)

    def note(self, arrival: Arrival) -> None:
        """Keep `arrival`."""
        self._lines.append(orjson.dumps(tuple(arrival), option=orjson.OPT_APPEND_NEWLINE))
        self._codes[arrival.code] += 1

    def clear(self) -> None:
        """Forget every arrival."""
        self._lines.clear()
        self._codes.clear()

    def codes(self) -> dict[str, int]:
        """Return how many calls were given each code."""
        return {str(code): count for code, count in self._codes.items()}

    def to_json_lines(self) -> bytes:
        """Return the arrivals as `[at, data_id, image, code, caller, signed]`, one a line."""
        return b"".join(self._lines)


def read_json_lines(lines: Iterable[bytes]) -> list[Arrival]:
    """Return the arrivals in `lines`, sorted by their time."""
    return sorted(Arrival(*orjson.loads(line)) for line in lines)
