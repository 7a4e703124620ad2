"""
What is sent to the health port and is not HTTP: counted, and logged once a minute without its content.

aiohttp logs each such request as an error with its traceback and what was sent: anyone who reaches the port could fill
the log, and write into it.
"""

import logging
import time
from collections.abc import Callable

from aiohttp.http_exceptions import HttpProcessingError

from consumer.observability import metrics

REMINDER = 60.0  # seconds


class RefusedRequests(logging.Filter):
    """Lets one line a minute pass of those that aiohttp's server writes about requests that it cannot read."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._told_at: float | None = None
        self._untold = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written; its text and traceback give way to a count."""
        if record.name != "aiohttp.server" or not _is_about_a_request(record):
            return True
        metrics.REFUSED_REQUESTS.inc()
        self._untold += 1
        now = self._now()
        if self._told_at is not None and now - self._told_at < REMINDER:
            return False
        record.msg, record.args = "health.request_refused: %d since the last such line", (self._untold,)
        record.exc_info = record.exc_text = record.stack_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        self._told_at, self._untold = now, 0
        return True


def _is_about_a_request(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return isinstance(error, HttpProcessingError)
