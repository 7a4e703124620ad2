"""
Becomes another program that does not outlive the process which started it: `python bench/tether.py PARENT_PID COMMAND…`

A parent that is killed cannot stop its children, so the kernel does (Linux; elsewhere such a child would stay). The
wish survives exec, and an extra program costs less care than code run between fork and exec of a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for SIGKILL at the parent's death, then become the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have died before the wish was made.
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
