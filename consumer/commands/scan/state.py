"""
What was judged, kept in a file so that a scan can go on and pays for nothing twice: JSON lines, appended.

    the header
    {"of": …}                                 the facts of what follows: policy, services, endpoint and the like
    {"submission": …, "service": …, "nth": …, "answer": …}   a service's, of an image that has not all of them yet
    {"asked": …, "line": …}                   an image's result

Each line is handed to the system at once, so that a SIGKILL loses none, and to the disk within a second, so that a
power failure loses those of a second. A line that was torn by either is dropped, and one that does not fit on the disk
is cut off again. An image is known by what was asked: its path, size and time of writing, or its URL; and only where
the facts are the same.
"""

import asyncio
import contextlib
import fcntl
import os
import stat
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from consumer.commands.scan.answers import Answer
from consumer.commands.scan.facts import Facts, differences
from consumer.commands.scan.outputs import Failed, write_all
from consumer.errors import Misconfigured
from consumer.records import Decision

FLUSHED_EVERY = 0.5  # seconds
_HEADER = {"moderation-consumer": "scan", "state": 2}
_MEMBERS = {"image", "decision", "risk_level", "findings", "reasons", "error", "provider", "sha256"}

_Place = tuple[int, int]  # where a line begins, and its length


class State:
    """A file of results, held against other scans until it is closed. Made by `opened`."""

    def __init__(self, path: Path, file: int, facts: Facts, failed: Failed) -> None:
        """`failed` is called where something cannot be kept or read; what was kept before stays whole."""
        self._path = path
        self._file = file
        self._facts = facts
        self._failed = failed
        self._end = 0  # of what is whole
        self._is_dirty = False
        self._is_cut = True  # nothing but what is whole stands in the file
        self._is_ours = False  # whether what follows in the file has our facts
        self._results: dict[str, _Place] = {}  # by what was asked
        self._answers: dict[tuple[str, str, int], _Place] = {}  # by submission, service and picture
        self._paid: Counter[str] = Counter()
        self.of_others: Counter[frozenset[str]] = Counter()
        """Results that are not used, by the names of the facts that are not ours."""
        self.torn = False
        """Whether the last line was not whole, and was dropped."""

    def knows(self, asked: str) -> bool:
        """Whether there is a result of what was asked."""
        return asked in self._results

    def find(self, asked: str) -> Mapping[str, Any]:
        """Return what was told of an image that it knows. `OSError` escapes."""
        told: Mapping[str, Any] = self._line(self._results[asked])["line"]
        return told

    def answer(self, submission: str, service: str, nth: int) -> Answer | None:
        """Return what a service answered about the nth picture in an earlier scan. Nothing escapes."""
        place = self._answers.get((submission, service, nth))
        try:
            return None if place is None else Answer.read(self._line(place)["answer"])
        except OSError as error:  # no fault of the image's
            self._failed(error)
            return None

    def paid(self, submission: str) -> int:
        """Answers of an image that an earlier scan has paid for."""
        return self._paid[submission]

    def add(self, asked: str, line: Mapping[str, Any]) -> None:
        """Keep a result. Nothing escapes."""
        self._append({"asked": asked, "line": line})

    def add_answer(self, submission: str, service: str, nth: int, answer: Answer) -> None:
        """Keep an answer. Nothing escapes."""
        self._append({"submission": submission, "service": service, "nth": nth, "answer": answer.told()})

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
            OSError: it cannot be read, or not be written to.
        """
        differing: frozenset[str] | None = None  # of the facts that were read last
        with open(self._file, "rb", closefd=False) as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    self.torn = True
                    if number == 1 and not _HEADER_LINE.startswith(line):
                        raise self._foreign()
                    break
                if number == 1:
                    if line != _HEADER_LINE:
                        raise self._foreign()
                else:
                    differing = self._take(line, number, differing)
                self._end += len(line)
        if self.torn:
            os.ftruncate(self._file, self._end)
        if not self._end:
            write_all(self._file, _HEADER_LINE)
            self._end = len(_HEADER_LINE)

    def _take(self, line: bytes, number: int, differing: frozenset[str] | None) -> frozenset[str]:
        """Take a line; return in which facts those that follow are not ours."""
        place = self._end, len(line)
        match _parsed(line):
            case {"of": dict(facts)}:
                differing = differences(self._facts, facts)
                self._is_ours = not differing
                return differing
            case {"asked": str(asked), "line": dict(told)} if differing is not None and _is_told(told):
                if differing:
                    self.of_others[differing] += 1
                elif _is_worth_keeping(told):
                    self._results[asked] = place
                return differing
            case {"submission": str(submission), "service": str(service), "nth": int(nth), "answer": dict(told)} if (
                differing is not None and _is_answer(told)
            ):
                if not differing:
                    self._paid[submission] += (submission, service, nth) not in self._answers
                    self._answers[submission, service, nth] = place
                return differing
            case _:
                raise Misconfigured([f"--state: {self._path}:{number}: is no result of a scan"])

    def _foreign(self) -> Misconfigured:
        return Misconfigured([f"--state: {self._path} is no state of a scan; it is not touched"])

    def _line(self, place: _Place) -> Any:
        return orjson.loads(os.pread(self._file, place[1], place[0]))

    def _append(self, value: Mapping[str, Any]) -> None:
        lines = b"" if self._is_ours else _encoded({"of": self._facts})
        lines += _encoded(value)
        try:
            self._cut_off()
            self._is_cut = False
            write_all(self._file, lines)
        except OSError as error:
            with contextlib.suppress(OSError):  # tried again before the next line
                self._cut_off()
            self._failed(error)
            return
        self._end += len(lines)
        self._is_ours = self._is_cut = self._is_dirty = True

    def _cut_off(self) -> None:
        """Remove the beginning of a line that did not fit: the next one would be damaged by it."""
        if not self._is_cut:
            os.ftruncate(self._file, self._end)
            self._is_cut = True


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


def _is_answer(told: Mapping[str, Any]) -> bool:
    try:
        Answer.read(told)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def _is_worth_keeping(line: Mapping[str, Any]) -> bool:
    """Whether it was judged, or at least paid for: what failed and cost nothing is asked about again."""
    return not line["error"] or bool(line["provider"]["billed_calls"])


@contextlib.asynccontextmanager
async def opened(path: Path, facts: Facts, failed: Failed) -> AsyncIterator[State]:
    """
    Open a state, make it if it is not there, and keep it on the disk until the context ends.

    `failed` is called where the disk does not take something.

    Raises:
        Misconfigured: it cannot be opened, another scan has it, or it is something else.
        OSError: it cannot be read, or not be written to.
    """
    file = _locked(path)
    try:
        state, closing = State(path, file, facts, failed), asyncio.Event()
        state.read()
        flushing = asyncio.create_task(_flush(state, closing, failed))
        try:
            yield state
        finally:
            closing.set()
            await flushing
    finally:
        os.close(file)


async def _flush(state: State, closing: asyncio.Event, failed: Failed) -> None:
    while not closing.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSHED_EVERY):
                await closing.wait()
        try:
            await asyncio.to_thread(state.flush)
        except OSError as error:
            failed(error)


def _locked(path: Path) -> int:
    try:
        # Without waiting for the writer of a pipe.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise Misconfigured([f"--state: {path} cannot be opened: {error.strerror}"]) from None
    try:
        is_file = stat.S_ISREG(os.fstat(file).st_mode)
        if is_file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise Misconfigured([f"--state: another scan uses {path} at the moment"]) from None
    if not is_file:
        os.close(file)
        raise Misconfigured([f"--state: {path} is a pipe or a device, and must be a file"])
    return file
