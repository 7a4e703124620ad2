"""
A process that has imported the service, and becomes `moderation-consumer` in a fork for each command that is asked for.

To import it takes most of a second, and what most commands do a hundredth of that. A fork has the standard input,
output and error, the folder, the environment and the arguments that it is given, and ends as the command does.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
WIDTH = "100"
"""The terminal's columns: they are read once, when the command line is imported."""
MOST = 1 << 20  # bytes of a request
STATUS = 4  # bytes of an answer
PR_SET_CHILD_SUBREAPER = 36


class Warm:
    """Such a process, in this one's custody: it ends when this one does."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        self._address = f"{self._folder.name}/socket"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rig.warm", self._address],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": WIDTH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it listens

    async def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], files: Sequence[int], folder: Path = ROOT
    ) -> int:
        """Run a command with these as its first three descriptors, and return its status. Cancelled, it is killed."""
        request = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
        assert len(request) <= MOST
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._address)
            socket.send_fds(connection, [len(request).to_bytes(STATUS, "big")], list(files))
            connection.sendall(request)
            connection.setblocking(False)
            said = await asyncio.get_running_loop().sock_recv(connection, STATUS)
        assert len(said) == STATUS, "the warm process died"
        return int.from_bytes(said, "big", signed=True)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


def _serve(address: str) -> None:
    """Return in a fork that has become what was asked for; end with the parent, which holds standard input open."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        print("listening", flush=True)
        while _has_come(listener):
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                attend(connection)
                return
            connection.close()
            while _reaped():
                pass
    os._exit(0)


def _has_come(listener: socket.socket) -> bool:
    ready, _, _ = select.select([listener, sys.stdin], [], [])
    return sys.stdin not in ready


def _reaped() -> bool:
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    return False


def attend(connection: socket.socket) -> None:
    """Fork once more, tell the fork's status, and end; return in the fork."""
    length, files, _, _ = socket.recv_fds(connection, STATUS, 3)
    request = b""
    while len(request) < int.from_bytes(length, "big"):
        if not (received := connection.recv(MOST)):  # who asked for it has gone
            os._exit(0)
        request += received
    arguments, environment, folder = json.loads(request)
    if sys.platform == "linux":  # what loses its parent is this process's child, and not the system's
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ended, runs = os.pipe()  # its other end is open for as long as the command runs
    child = os.fork()
    if child == 0:
        connection.close()
        os.close(ended)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[1:] = arguments
        return
    for file in (*files, runs):
        os.close(file)
    ready, _, _ = select.select([ended, connection.fileno()], [], [])
    if ended not in ready:  # who asked for it has gone
        _kill_all(child)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(STATUS, "big", signed=True))
    os._exit(0)


def _kill_all(child: int) -> None:
    """Kill a child, and those that it leaves to this process, until there is none."""
    os.kill(child, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            for children in Path("/proc/self/task").glob("*/children"):
                for each in children.read_text().split():
                    os.kill(int(each), signal.SIGKILL)
            os.waitpid(-1, 0)


def _import_all() -> None:
    """All that commands import, but for what this machine lacks."""
    import consumer.cli
    import consumer.commands

    for module in pkgutil.walk_packages(consumer.commands.__path__, "consumer.commands."):
        importlib.import_module(module.name)
    for name in ("consumer.app", "consumer.emulator", "consumer.config.loading"):
        importlib.import_module(name)
    gc.freeze()  # forks neither look at it again nor copy it


if __name__ == "__main__":
    _import_all()
    _serve(sys.argv[1])
    from consumer.start import main

    main()
