"""
A frozen process is frozen at once.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.rig.freezing import freeze


def state_of_threads(pid: int) -> set[str]:
    """The states of a process's threads, as the kernel names them: T is stopped."""
    stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return {stat.rpartition(")")[2].split()[0] for stat in stats}


def test_no_thread_of_a_frozen_process_runs() -> None:
    """
    As soon as freezing returns, though all of its threads were busy; and it may be frozen twice.
    """
    busy = "import threading\nfor _ in range(8): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()"
    process = subprocess.Popen([sys.executable, "-c", busy])
    try:
        freeze(process.pid)
        assert state_of_threads(process.pid) == {"T"}
        freeze(process.pid)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGCONT)
    finally:
        process.kill()
        process.wait()
