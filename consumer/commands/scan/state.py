"""
What was judged, kept in a file so that a scan can go on and pays for nothing twice: JSON lines, appended one a result.

Each result is handed to the system at once, so that a SIGKILL loses none, and to the disk within a second, so that a
power failure loses those of a second. A line that was torn by either is dropped. An image is known by what was asked:
its path, size and time of writing, or its URL; and only by the same services and the same policy.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from consumer.commands.scan.outputs import write_all
from consumer.errors import Misconfigured
from consumer.records import Decision

FLUSHED_EVERY = 0.5  # seconds
_HEADER = {"moderation-consumer": "scan", "state": 1}
_MEMBERS = {"image", "decision", "risk_level", "findings", "reasons", "error", "provider", "sha256"}


class State:
    """A file of results, held against other scans until it is closed. Made by `opened`."""

    def __init__(self, path: Path, file: int, services: Sequence[str], policy: str) -> None:
        self._path = path
        self._file = file
        self._asked = {"services": list(services), "policy": policy}
        self._is_dirty = False
        self._places: dict[str, tuple[int, int]] = {}  # by what was asked: where its line begins, and its length
        self.of_others = 0
        """Results of another policy or of other services."""
        self.torn = False
        """Whether the last line was not whole, and was dropped."""

    def knows(self, asked: str) -> bool:
        """Whether there is a result of what was asked."""
        return asked in self._places

    def find(self, asked: str) -> Mapping[str, Any]:
        """Return what was told of an image that it knows. `OSError` escapes."""
        at, length = self._places[asked]
        told: Mapping[str, Any] = orjson.loads(os.pread(self._file, length, at))["line"]
        return told

    def add(self, asked: str, line: Mapping[str, Any]) -> None:
        """Keep a result. `OSError` escapes where it cannot be written."""
        self._append({"asked": asked, **self._asked, "line": line})

    def flush(self) -> None:
        """Return once all that was kept is on the disk. `OSError` escapes."""
        if self._is_dirty:
            self._is_dirty = False
            os.fsync(self._file)

    def read(self) -> None:
        """
        Read what was kept.

        Raises:
            Misconfigured: it is another file, or damaged in a way that no crash leaves behind.
        """
        at = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    self.torn = True
                    if number == 1 and not _HEADER_LINE.startswith(line):
                        raise self._foreign()
                    break
                self._take(line, number, at)
                at += len(line)
        if self.torn:
            os.ftruncate(self._file, at)
        if not at:
            self._append(_HEADER)

    def _take(self, line: bytes, number: int, at: int) -> None:
        if number == 1:
            if line != _HEADER_LINE:
                raise self._foreign()
            return
        match _parsed(line):
            case {"asked": str(asked), "services": services, "policy": policy, "line": dict(told)} if _is_told(told):
                if {"services": services, "policy": policy} != self._asked:
                    self.of_others += 1
                elif _is_worth_keeping(told):
                    self._places[asked] = at, len(line)
            case _:
                raise Misconfigured([f"--state: {self._path}:{number}: is no result of a scan"])

    def _foreign(self) -> Misconfigured:
        return Misconfigured([f"--state: {self._path} is no state of a scan; it is not touched"])

    def _append(self, value: Mapping[str, Any]) -> None:
        write_all(self._file, _encoded(value))
        self._is_dirty = True


def _encoded(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


_HEADER_LINE = _encoded(_HEADER)


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _is_told(line: Mapping[str, Any]) -> bool:
    return line.keys() >= _MEMBERS and line["decision"] in tuple(Decision)


def _is_worth_keeping(line: Mapping[str, Any]) -> bool:
    """Whether it was judged, or at least paid for: what failed and cost nothing is asked about again."""
    return not line["error"] or bool(line["provider"]["billed_calls"])


@contextlib.asynccontextmanager
async def opened(path: Path, services: Sequence[str], policy: str) -> AsyncIterator[State]:
    """
    Open a state, make it if it is not there, and keep it on the disk until the context ends.

    Raises:
        Misconfigured: it cannot be opened, another scan has it, or it is something else.
        OSError: at the end, where the disk did not take all.
    """
    file = _locked(path)
    try:
        state, closing = State(path, file, services, policy), asyncio.Event()
        state.read()
        flushing = asyncio.create_task(_flush(state, closing))
        try:
            yield state
        finally:
            closing.set()
            await flushing
    finally:
        os.close(file)


async def _flush(state: State, closing: asyncio.Event) -> None:
    while not closing.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSHED_EVERY):
                await closing.wait()
        await asyncio.to_thread(state.flush)


def _locked(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misconfigured([f"--state: {path} cannot be opened: {error.strerror}"]) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise Misconfigured([f"--state: another scan uses {path} at the moment"]) from None
    return file
