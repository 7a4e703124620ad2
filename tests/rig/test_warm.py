"""What becomes of a command that nobody waits for any more."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.rig.warm import ROOT, STATUS

ATTENDED = """
import os, socket, subprocess, sys, time
from tests.rig.warm import attend

attend(socket.socket(fileno=int(sys.argv[1])))
own_session = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", own_session], start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
"""A command that starts a process in a session of its own, which starts another one."""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells what a process has started")
def test_a_command_that_nobody_waits_for_is_killed_with_all_that_it_started() -> None:
    """
    Whatever their sessions, once the one who asked for it has gone.
    """
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    with open(os.devnull, "rb+", buffering=0) as nothing, os.fdopen(read) as told:
        process = subprocess.Popen(
            [sys.executable, "-c", ATTENDED, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=ROOT
        )
        theirs.close()
        request = json.dumps([[], dict(os.environ), str(ROOT)]).encode()
        files = [nothing.fileno(), write, nothing.fileno()]
        socket.send_fds(ours, [len(request).to_bytes(STATUS, "big")], files)
        ours.sendall(request)
        os.close(write)
        started = [int(pid) for _ in range(2) for pid in told.readline().split()]
        ours.close()
        try:
            assert process.wait(timeout=30) == 0
            assert [pid for pid in started if _runs(pid)] == []
            assert len(started) == 3
        finally:
            process.kill()
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
