"""An error in a log line, metric or span, or in what a policy in shadow says, must not affect the work itself."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from consumer.observability import metrics


@contextlib.contextmanager
def harmless(what: Literal["log", "span", "shadow"]) -> Iterator[None]:
    """Count what the block raises, and let it go no further."""
    try:
        yield
    except Exception:  # noqa: BLE001 — logging it could fail in the same way: it is counted
        metrics.TELLING_FAILED.labels(what).inc()
