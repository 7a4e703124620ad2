"""
What a process uses, as the kernel tells it: CPU, memory, connections. It must be one process, however many threads.
"""

import asyncio
import ctypes
import time
from pathlib import Path

from bench.steady import Sample

SAMPLE_INTERVAL = 0.02  # seconds
ESTABLISHED = "01"
EVERY = 25  # samples: connections are counted twice a second


class Watch:
    """Notes the state of a process's CPU clock, and the most connections that it had to a port."""

    def __init__(self, pid: int, port: int) -> None:
        self._pid = pid
        self._port = f":{port:04X}"
        self._clock = _cpu_clock(pid)
        self.samples: list[Sample] = []
        """Of its CPU clock, in the order of time."""

        self.sample()

        self.connections = 0
        """The most that were open at once."""

    async def run(self) -> None:
        """Watch every twenty milliseconds, until cancelled or the process is gone (`OSError`)."""
        while True:
            self.sample()
            if len(self.samples) % EVERY == 0:
                self.connections = max(self.connections, connections_to(self._port))
            await asyncio.sleep(SAMPLE_INTERVAL)

    def sample(self) -> None:
        """Note how its CPU clock stands now."""
        self.samples.append(Sample(time.time(), self.cpu_seconds()))

    def cpu_seconds(self) -> float:
        """How its CPU clock stands: user and system, all threads, those that ended too."""
        return time.clock_gettime(self._clock)

    def peak_rss(self) -> int:
        """The most memory that it held at once, in bytes; read it before the process ends."""
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise OSError(f"process {self._pid} tells no VmHWM")

    async def idle_cores(self, seconds: float) -> float:
        """Share of a core that it uses from now on, for so long."""
        began, spent = time.monotonic(), self.cpu_seconds()
        await asyncio.sleep(seconds)
        return (self.cpu_seconds() - spent) / (time.monotonic() - began)


def connections_to(port: str) -> int:
    """How many connections to a port of this machine are open; `port` as the kernel writes it, such as `:1F90`."""
    found = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, _, remote, state, *_ = line.split()
            found += remote.endswith(port) and state == ESTABLISHED
    return found


def _cpu_clock(pid: int) -> int:
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, f"process {pid} has no CPU clock")
    return clock.value
