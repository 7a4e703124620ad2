"""
One broker process: its properties, its log, its life. What makes several of them a cluster is `cluster.py`'s.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.rig.freezing import freeze

TETHER = Path(__file__).with_name("tether.py")
STOP_GRACE = 10.0
LOG_TAIL = 40  # lines
POLL = 0.02


class StartFailed(Exception):
    """A broker did not come up; the message ends with the tail of its log."""


class Broker:
    """
    A Kafka broker and controller in one JVM, in a folder of its own.

    It may be started and stopped any number of times and keeps its ports and data. Not bound to an event loop.
    """

    def __init__(self, node_id: int, address: str, folder: Path, properties: Mapping[str, str], jvm: Sequence[str]):
        self.node_id = node_id
        self.address = address
        """`host:port` of its plaintext listener."""
        self.log = folder / "broker.log"
        self._properties = folder / "server.properties"
        self._data = folder / "data"
        self._jvm = jvm
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        lines = {**properties, "log.dirs": str(self._data)}.items()
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in lines))

    @property
    def pid(self) -> int | None:
        """The process id of the JVM, None while stopped."""
        return self._process.pid if self._process else None

    async def format(self, cluster_id: str, arguments: Sequence[str]) -> None:
        """Prepare the empty data folder, as KRaft wants it. Raises `StartFailed` with the tool's message."""
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", f"--config={self._properties}"]
        done = await asyncio.to_thread(
            subprocess.run, [*self._jvm, *tool, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StartFailed(f"Broker {self.node_id} could not be formatted:\n{done.stdout}{done.stderr}")

    def launch(self) -> None:
        """Start the process. Call it from a thread that lives as long as the broker shall: the two die together."""
        assert self._process is None, f"broker {self.node_id} runs already"
        tether = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tether, *self._jvm, "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C reaches us alone: we decide the order of things
            )

    async def listening(self, deadline: float) -> None:
        """Wait until it accepts connections. Raises `StartFailed` at `deadline` (monotonic seconds) or when it dies."""
        host, port = self.address.split(":")
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                self.check_running(deadline)
                await asyncio.sleep(POLL)
            else:
                writer.close()
                await writer.wait_closed()
                return

    def check_running(self, deadline: float) -> None:
        """Raise `StartFailed` if it has died or `deadline` (monotonic seconds) has passed."""
        if self._process is None or self._process.poll() is not None:
            raise StartFailed(f"Broker {self.node_id} died. The end of {self.log}:\n{self._tail()}")
        if time.monotonic() > deadline:
            raise StartFailed(f"Broker {self.node_id} is not up in time. The end of {self.log}:\n{self._tail()}")

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """Ask it to shut down (SIGTERM); kill it when `grace` seconds have not been enough. May be stopped already."""
        if self._process is None:
            return
        self.resume()  # a suspended process takes no SIGTERM
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self._exited()
        except TimeoutError:
            await self.kill()
        self._process = None

    async def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would."""
        if self._process is None:
            return
        self._process.kill()
        await self._exited()
        self._process = None

    def suspend(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing answers, from the moment at which this returns."""
        assert self._process is not None, f"broker {self.node_id} is stopped"
        freeze(self._process.pid)

    def resume(self) -> None:
        """Let it go on (SIGCONT). Harmless when it is not suspended."""
        assert self._process is not None, f"broker {self.node_id} is stopped"
        self._process.send_signal(signal.SIGCONT)

    async def _exited(self) -> None:
        # Polled, because a session's broker is stopped from another event loop than it was started from.
        while self._process is not None and self._process.poll() is None:
            await asyncio.sleep(POLL)

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
