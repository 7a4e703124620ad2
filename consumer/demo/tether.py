"""
Becomes a command that the kernel kills with the process that started it: `tether.py PARENT_PID COMMAND …`.

A demo that got SIGKILL can stop nothing, and its service would wait for the vanished broker for ever. Linux only:
elsewhere such a service is left behind.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # survives the exec
    if os.getppid() == int(sys.argv[1]):  # or it ended before the kernel was asked
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 — a command of the demo's own
