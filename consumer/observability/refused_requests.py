"""
What is sent to the ports of our pages and gets no answer: counted, and logged once a minute without its content.

aiohttp logs what it cannot read as an error with its traceback and what was sent: anyone who reaches the port could
fill the log, and write into it. None of its lines is printed.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from consumer.observability import metrics
from consumer.observability.tracebacks import frames_of

REMINDER = 60.0  # seconds

Why = Literal["not_http", "too_long", "too_slow", "too_many", "failed"]
"""`failed` is aiohttp's fault or ours."""


class Refusals:
    """Counts refused requests, and says in one line a minute how many there were, by reason."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns monotonic seconds."""
        self._now = now
        self._logged_at: float | None = None
        self._not_logged: Counter[Why] = Counter()

    def note(self, why: Why, error: BaseException | None = None) -> None:
        """Count one more. Of the error, where it is given, the line says the place and no text."""
        metrics.REFUSED_REQUESTS.labels(why).inc()
        self._not_logged[why] += 1
        now = self._now()
        if self._logged_at is not None and now - self._logged_at < REMINDER:
            return
        self._logged_at = now
        place = {"place": frames_of(error)} if error is not None else {}
        structlog.get_logger().warning("health.request_refused", since_last=dict(self._not_logged), **place)
        self._not_logged.clear()


class RefusedRequests(logging.Filter):
    """Lets no line of aiohttp's server pass: what they are about is counted."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns monotonic seconds."""
        super().__init__()
        self._refusals = Refusals(now)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written."""
        if record.name != "aiohttp.server":
            return True
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, HttpProcessingError):
            self._refusals.note("not_http")
        else:
            self._refusals.note("failed", error)
        return False
