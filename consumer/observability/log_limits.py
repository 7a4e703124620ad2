"""
Limits log lines of a kind, so that whoever sends what is logged does not fill the disk.

    the first of a kind ──► written ──(a minute)──► the next one is written, and says how many were left out

Of other libraries' lines one of a kind is written in a minute: our own lines report an outage, not 70 of theirs a
second. Of our own, ten of each event and reason: ten dead letters of a reason show what is wrong with all of them.

A kind is a logger, a level and the text before its arguments are filled in. What is left out is counted in
`moderation_log_lines_left_out_total` too, as a kind may never come again.
"""

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from consumer.observability import metrics

INTERVAL = 60.0  # seconds between two lines of a kind
MOST_KINDS = 1_000  # remembered; a library may make its texts up
MOST_LINES = 10  # of ours, of a kind in a minute
REASONS = ("reason", "error", "kind", "code")
"""Fields that say why something happened: with the event's name they are the kind of a line of ours."""
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


class EventLimits:
    """A structlog processor that lets ten lines of each event and reason through in a minute, and all for debugging."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns monotonic seconds."""
        self._now = now
        self._minutes: dict[Kind, tuple[float, int]] = {}  # when it began, and lines since then; the latest at the end

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Pass a line on, with how many of its kind the minute before left out, or raise `DropEvent`."""
        if method == "debug":
            return event
        reason = next((str(event[name])[:200] for name in REASONS if name in event), "")
        kind = (str(event.get("event"))[:200], logging.getLevelNamesMapping().get(method.upper(), 0), reason)
        now = self._now()
        began, lines = self._minutes.get(kind, (now, 0))
        if now - began < INTERVAL and lines >= MOST_LINES:
            self._minutes[kind] = (began, lines + 1)
            metrics.LOG_LINES_LEFT_OUT.labels("consumer").inc()
            raise structlog.DropEvent
        self._minutes.pop(kind, None)
        if now - began >= INTERVAL:
            if lines > MOST_LINES:
                event[LEFT_OUT] = lines - MOST_LINES
            began, lines = now, 0
        self._minutes[kind] = (began, lines + 1)
        while len(self._minutes) > MOST_KINDS:
            del self._minutes[next(iter(self._minutes))]
        return event


def add_left_out(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor for other libraries' lines that says how many of the kind were left out before this one."""
    if left_out := getattr(event.get("_record"), LEFT_OUT, 0):
        event[LEFT_OUT] = left_out
    return event
