"""
A frozen process is frozen at once.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.freezing import freeze


def state_of_threads(pid: int) -> set[str]:
    """The states of a process's threads, as the kernel names them: T is stopped."""
    stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return {stat.rpartition(")")[2].split()[0] for stat in stats}


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """A machine with one CPU, for us and our children: nobody takes a signal while we run."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_cpu")
def test_no_thread_of_a_frozen_process_runs() -> None:
    """
    As soon as freezing returns, though it was busy and had no CPU to take the signal on; and it may be frozen twice.
    """
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        freeze(process.pid)
        assert state_of_threads(process.pid) == {"T"}
        freeze(process.pid)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
