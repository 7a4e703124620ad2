"""
What the watch inside the service sees of its event loop.
"""

import asyncio
import time
from pathlib import Path

import orjson

from bench.lateness import STEP, Look, read_looks, watch


async def test_what_holds_the_loop_is_seen_as_lateness_and_as_cpu() -> None:
    """
    A step that works for 50 ms makes the timer late by about as much.
    """
    looks: list[Look] = []
    watch(asyncio.get_running_loop(), looks.append)
    await asyncio.sleep(2 * STEP)
    ends = time.thread_time() + 0.05
    while time.thread_time() < ends:
        pass
    await asyncio.sleep(2 * STEP)

    worst = max(looks, key=lambda look: look.cpu)

    assert worst.cpu >= 0.05
    assert worst.late >= 0.05 - STEP


def test_what_it_waited_for_a_cpu_is_not_its_own() -> None:
    """
    Nor is there anything of its own where it waited for longer than it was late.
    """
    assert Look(0.0, late=0.08, waited=0.05, cpu=0.02).own == 0.08 - 0.05
    assert Look(0.0, late=0.01, waited=0.05, cpu=0.02).own == 0.0


def test_what_was_before_and_after_is_not_read(tmp_path: Path) -> None:
    """
    A start takes a second of the loop, and is no stall.
    """
    file = tmp_path / "looks.json"
    file.write_bytes(orjson.dumps([[float(at), 0.1, 0.0, 0.1] for at in range(5)]))

    assert [look.at for look in read_looks(file, 1.0, 3.0)] == [1.0, 2.0, 3.0]
