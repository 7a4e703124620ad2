"""How long things take on a machine of the usual speed: bounds hold on one that is slow, or slow at the moment."""

import time
from collections.abc import Callable
from math import inf

COUNTED = 500_000
USUAL = 0.03
"""Seconds of a CPU for counting so far."""


def seconds(act: Callable[[], object], enough: float = 0.0) -> float:
    """
    CPU seconds of this process, the best of three, or the first that is below `enough`.

    The machine is measured where they are not, as its caches and clock are others' too: then they are those of a
    machine of the usual speed.
    """
    best = inf
    for _ in range(3):
        began = time.process_time()
        act()
        took = time.process_time() - began
        if took >= enough:
            took /= max(1.0, _counting() / USUAL)
        best = min(best, took)
        if best < enough:
            break
    return best


def _counting() -> float:
    began, total = time.process_time(), 0
    for number in range(COUNTED):
        total += number
    return time.process_time() - began
