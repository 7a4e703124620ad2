"""What only the garbage collector would free."""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def left_behind(*kinds: type[object]) -> Iterator[list[object]]:
    """
    Run a block without the garbage collector; then hold what of these kinds nothing but it would have freed.

    It looks at objects that can be part of a circle alone: bytes and texts are not.
    """
    gc.collect()
    gc.disable()
    found: list[object] = []
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += [each for each in gc.garbage if isinstance(each, kinds)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def references(held: bytes, act: Callable[[], Coroutine[Any, Any, object]], times: int = 6) -> list[int]:
    """Act several times without the garbage collector; return how many references there are to `held` after each."""
    counts = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(times):
            await asyncio.create_task(act())
            counts.append(sys.getrefcount(held))
    finally:
        gc.enable()
    return counts
