"""What of a kind only the garbage collector would free."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
