"""
How late the service's event loop is, seen from inside: `python -m bench.lateness FILE run --config …` runs the service.

A timer asks to be called every 5 ms. By how much later it is called is what everything else in the loop waits too. Of
that, for as long as the loop's thread was ready and had no CPU (Linux's schedstat) another process is to blame: on a
machine that others use, only the rest is a figure. The CPU that the thread used since the call before stands beside it;
a busy machine makes that longer too, as caches are shared.
"""

import asyncio
import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson
import uvloop

STEP = 0.005  # seconds


class Look(NamedTuple):
    """One call of the timer; seconds."""

    at: float  # by the monotonic clock, which all processes share
    late: float
    waited: float  # for a CPU, since the call before
    cpu: float  # of the loop's thread, since the call before

    @property
    def own(self) -> float:
        """How late it was for what its own process did."""
        return max(0.0, self.late - self.waited)


def read_looks(file: Path, since: float, until: float) -> list[Look]:
    """Read those between two moments by the monotonic clock."""
    looks = (Look(*each) for each in orjson.loads(file.read_bytes()))
    return [look for look in looks if since <= look.at <= until]


def main() -> None:
    """Run the command line behind FILE, and write the looks to FILE at its end."""
    file = Path(sys.argv.pop(1))
    looks: list[Look] = []
    new_loop = uvloop.new_event_loop

    def watched_loop() -> uvloop.Loop:
        loop = new_loop()
        watch(loop, looks.append)
        return loop

    uvloop.new_event_loop = watched_loop
    atexit.register(lambda: file.write_bytes(orjson.dumps([tuple(look) for look in looks])))
    from consumer.start import main as command_line

    command_line()


def watch(loop: asyncio.AbstractEventLoop, note: Callable[[Look], None]) -> None:
    """Note each call of the timer, until the loop ends. Call it in the loop's thread."""
    schedstat = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)

    def waited() -> float:
        return int(os.pread(schedstat, 64, 0).split()[1]) / 1e9

    def look(due: float, waited_before: float, cpu_before: float) -> None:
        now, waited_now, cpu_now = time.monotonic(), waited(), time.thread_time()
        note(Look(now, now - due, waited_now - waited_before, cpu_now - cpu_before))
        loop.call_later(STEP, look, time.monotonic() + STEP, waited_now, cpu_now)

    loop.call_later(STEP, look, time.monotonic() + STEP, waited(), time.thread_time())


if __name__ == "__main__":
    main()
