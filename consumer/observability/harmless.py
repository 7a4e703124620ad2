"""What is only told, in logs, metrics and spans, must not harm what is done."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from consumer.observability import metrics


@contextlib.contextmanager
def harmless(what: Literal["log", "span"]) -> Iterator[None]:
    """Count what the block raises, and let it go no further."""
    try:
        yield
    except Exception:  # noqa: BLE001 — telling of it could fail just so: the counter is what tells
        metrics.TELLING_FAILED.labels(what).inc()
