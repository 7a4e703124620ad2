"""Whether work is quick, on a machine of any speed, which may be slow for the moment."""

import gc
import sys
import time
from collections.abc import Callable
from math import inf
from types import FrameType
from typing import TypeVar

Input = TypeVar("Input")

MEGABYTE = 1_000_000
TIMES_SLOWER = 10
"""What a machine that is slow may take, of what the usual one does."""
PART = 4
ATTEMPTS = 5


def is_quick(
    act: Callable[[Input], object], input_of: Callable[[int], Input], most: float, size: int = MEGABYTE
) -> bool:
    """
    Whether `act` works off a megabyte in `most` CPU seconds of this process, or is only slow by its machine.

    Then it takes less than ten times as long, and what is in proportion to the size takes a quarter of it for a quarter
    of the size; work of the square takes a sixteenth, and is not quick anywhere. Of several attempts the best count.
    `input_of` makes an input of about so many bytes.
    """
    whole, part = input_of(size), input_of(size // PART)
    longest, shortest = inf, inf
    for _ in range(ATTEMPTS):
        longest = min(longest, _seconds(act, whole))
        if longest < most:
            return True
        shortest = min(shortest, _seconds(act, part))
        if longest < min(TIMES_SLOWER * most, 2 * PART * shortest):
            return True
    return False


def calls_of(act: Callable[[], object]) -> int:
    """How many functions it calls, of Python or C: what it costs on any machine."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection calls what others left behind
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return calls


def repeated(piece: str, size: int, end: str = "") -> str:
    """A text of about `size` characters: a piece again and again, and an end."""
    return piece * (size // len(piece)) + end


def _seconds(act: Callable[[Input], object], given: Input) -> float:
    began = time.process_time()
    act(given)
    return time.process_time() - began
