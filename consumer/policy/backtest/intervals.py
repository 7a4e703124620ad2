"""
How far a count may be off: 95 % intervals. Pure; what is drawn by lot is drawn elsewhere.
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import NamedTuple

BLOCKS = 256
"""Subjects are thrown into so many blocks. The images of a subject are alike, so they are drawn together."""
ROUNDS = 1_000
_Z = 1.959964  # 95 %
_NONE_SEEN = 3.0  # of what was not seen once, there may be so many: e^-3 is 5 %


class Interval(NamedTuple):
    """A figure, and between what it lies with 95 % certainty."""

    value: float
    low: float
    high: float


def wilson(hits: int, of: int) -> Interval | None:
    """Wilson's interval of a share; None of nothing."""
    if of == 0:
        return None
    share, square = hits / of, _Z * _Z
    middle, spread = share + square / (2 * of), _Z * sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = (middle - spread) / (1 + square / of), (middle + spread) / (1 + square / of)
    return Interval(share, max(0.0, low) if hits else 0.0, min(1.0, high) if hits < of else 1.0)


def resampled(column: Sequence[int], draws: Iterable[Sequence[int]], scale: float) -> Interval:
    """
    The sum of a column that has a number for each block, by the bootstrap's percentiles.

    `draws` are the blocks of each round, with repetition; `scale` is how many records each one stands for.
    """
    total = sum(column)
    if not any(column):
        return Interval(0.0, 0.0, _NONE_SEEN * scale)
    sums = sorted(sum(map(column.__getitem__, draw)) for draw in draws)
    low, high = sums[round(0.025 * (len(sums) - 1))], sums[round(0.975 * (len(sums) - 1))]
    return Interval(total * scale, low * scale, high * scale)
