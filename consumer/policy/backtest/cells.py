"""
The matrix of what two policies decide, as one row of numbers: a cell for each pair of decisions, the current policy's
first. Decisions are places in `DECISIONS`; how many there are is said there and nowhere else.
"""

from collections.abc import Callable, Sequence

from consumer.records import DECISIONS

CELLS = len(DECISIONS) ** 2
"""Numbers of a matrix."""


def cell_of(current: int, candidate: int) -> int:
    """Return the place of a pair of decisions, from 0 to `CELLS` − 1."""
    return len(DECISIONS) * current + candidate


def pairs(wanted: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Return the pairs of decisions, the current policy's and the candidate's, of which this is true."""
    every = range(len(DECISIONS))
    return [(now, then) for now in every for then in every if wanted(now, then)]


def flips_to(decision: int) -> list[tuple[int, int]]:
    """Return the pairs by which an image would come to this decision and does not now."""
    return pairs(lambda now, then: then == decision and now != decision)


def sum_of(cells: Sequence[int], of: Sequence[tuple[int, int]]) -> int:
    """Return how many images a matrix has at these pairs."""
    return sum(cells[cell_of(now, then)] for now, then in of)


def flips(cells: Sequence[int]) -> int:
    """Return how many images of a matrix would be decided otherwise."""
    return sum_of(cells, pairs(lambda now, then: now != then))


def lines_of(cells: Sequence[int]) -> list[list[int]]:
    """Return a matrix as lists: by the current policy's decision, then by the candidate's."""
    width = len(DECISIONS)
    return [list(cells[width * now : width * (now + 1)]) for now in range(width)]
