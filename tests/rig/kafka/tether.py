"""
Becomes a command that the kernel kills with its parent: `tether.py PARENT_PID COMMAND …`.

A broker must not outlive a test run that got SIGKILL, when nothing of ours runs any more. Watching a pipe from the
parent would need a process that stays beside every broker and may itself be killed; the kernel's parent-death signal
needs none, reaches a stopped process too, and survives the exec, so the pid stays the command's own. It fires when
the *thread* that started us ends. Linux only: elsewhere a SIGKILLed run leaves its brokers behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was asked for
        sys.exit(1)
    os.execvp(command[0], command)
