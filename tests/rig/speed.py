"""How long things take on a machine of the usual speed: bounds hold on one that is slow, or slow at the moment."""

import time
from collections.abc import Callable
from math import inf

COUNTED = 500_000
USUAL = 0.03
"""Seconds of a CPU for counting so far."""


def seconds(act: Callable[[], object], enough: float = 0.0) -> float:
    """
    CPU seconds of this process, as on a machine of the usual speed: the best of three, or the first that is `enough`.

    The machine is measured before and after each, as its caches and clock are others' too.
    """
    best = inf
    for _ in range(3):
        before = _counting()
        began = time.process_time()
        act()
        took = time.process_time() - began
        slowness = max(1.0, (before + _counting()) / 2 / USUAL)
        best = min(best, took / slowness)
        if best < enough:
            break
    return best


def _counting() -> float:
    began, total = time.process_time(), 0
    for number in range(COUNTED):
        total += number
    return time.process_time() - began
