"""
Freezing a child process, and knowing that it is frozen.
"""

import os
import signal


def freeze(pid: int) -> None:
    """
    Send SIGSTOP to a child, and return once no thread of it runs any more.

    The signal alone promises nothing yet: a thread must be scheduled to take it, and on a busy machine another one may
    answer a request meanwhile.
    """
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
