"""
The embedded broker in a process of its own, for tests.

Twice a test process ended without a word (once seen: status -11) in the last test of its run, where this broker was
destroyed: most likely in librdkafka's threads, which block all signals, so that faulthandler says nothing. Here it is
killed instead.
"""

import os
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from consumer.emulator.broker import EmbeddedBroker
from tests.rig.kafka.broker import TETHER
from tests.rig.replica import ROOT


class BrokerProcess:
    """One broker, from `with` to its end; see `EmbeddedBroker`."""

    def __init__(self) -> None:
        self.bootstrap_servers = ""
        """`host:port`, once entered."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), sys.executable, "-m", "tests.rig.embedded"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C is for us alone
        )
        assert self._process.stdout is not None
        self.bootstrap_servers = self._process.stdout.readline().decode().strip()
        if not self.bootstrap_servers:
            raise RuntimeError(f"the embedded broker did not start: status {self._process.wait()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def main() -> None:
    """Serve until killed."""
    with EmbeddedBroker() as broker:
        sys.stdout.write(f"{broker.bootstrap_servers}\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600.0)


if __name__ == "__main__":
    main()
