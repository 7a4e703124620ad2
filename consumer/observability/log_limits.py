"""
Limits other libraries' log lines of a kind: our own lines report an outage, not 70 of theirs a second.

    the first of a kind ──► written ──(a minute)──► the next one is written, and says how many were left out

A kind is a logger, a level and the text before its arguments are filled in. What is left out is counted in
`moderation_log_lines_left_out_total` too, as a kind may never come again.
"""

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from consumer.observability import metrics

INTERVAL = 60.0  # seconds between two lines of a kind
MOST_KINDS = 1_000  # remembered; a library may make its texts up
LEFT_OUT = "left_out"

Kind = tuple[str, int, str]


class LogLimits(logging.Filter):
    """Lets a line of each kind through in a minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns monotonic seconds."""
        super().__init__()
        self._now = now
        self._written: dict[Kind, float] = {}  # when a line of the kind was written last, the latest at the end
        self._left_out: dict[Kind, int] = {}  # since then

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written. `left_out` is added to it where others of its kind were not."""
        kind = (record.name, record.levelno, str(record.msg)[:200])
        now = self._now()
        if (written := self._written.get(kind)) is not None and now - written < INTERVAL:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            metrics.LOG_LINES_LEFT_OUT.labels(record.name).inc()
            return False
        self._written.pop(kind, None)
        self._written[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            setattr(record, LEFT_OUT, left_out)
        while len(self._written) > MOST_KINDS:
            forgotten = next(iter(self._written))
            del self._written[forgotten]
            self._left_out.pop(forgotten, None)
        return True


def add_left_out(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor for other libraries' lines that says how many of the kind were left out before this one."""
    if left_out := getattr(event.get("_record"), LEFT_OUT, 0):
        event[LEFT_OUT] = left_out
    return event
