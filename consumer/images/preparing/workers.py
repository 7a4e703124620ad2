"""
The processes that decode: so many at once, each with bounds of its own, so that a job which breaks one ends alone.

A worker is kept for the next job, but for one that was ended, has ended, or has done many. The pools of Python and
anyio hand over objects by pickle, which a decoder that was taken over could use to act here; and their processes have
the environment of this one, with its keys.
"""

import asyncio
import contextlib
import io
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from consumer.extras import extra
from consumer.images.held import BytesHeld
from consumer.images.preparing import Job, NotPrepared, Prepared, WorkerNotStarted, wire

_SLICE = 262_144  # bytes that are written or read at once: megabytes would hold up the event loop
_START_TIMEOUT = 30.0  # seconds
_OWN_END_TIMEOUT = 5.0  # seconds, of a worker that has closed its output
_MOST_JOBS = 200  # of one worker: what decoders have leaked by then goes with it
_PASSED_ON = ("LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT")
_MODULE = "consumer.images.preparing.worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Those of workers."""

    at_once: int = 2
    seconds: float = 10.0  # for one job
    memory: int = 1 << 30  # bytes of one worker


class _Ended(Exception):
    """A worker has ended, or says what no worker says."""


class Workers:
    """Has jobs done."""

    def __init__(self, bounds: Bounds, environment: Mapping[str, str]) -> None:
        """Of the environment workers are given what they are found and started with, and nothing else."""
        self._bounds = bounds
        self._environment = {name: environment[name] for name in _PASSED_ON if name in environment}
        # One arena: each more takes address space, which is bounded.
        self.problem: str | None = None
        """Why the last that was to be started was not."""
        self._environment |= {"MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._turns = asyncio.Semaphore(bounds.at_once)
        self._idle: list[_Worker] = []

    async def work(self, data: bytes, job: Job) -> Prepared:
        """
        Do a job about a file.

        Raises:
            NotPrepared: saying why.
            WorkerNotStarted: no worker could be had.
        """
        async with self._turns:
            # What ends a worker may have been another's: the system's want of memory.
            for idle in (self._idle_worker(), None):
                worker = idle or await self._started()
                with contextlib.suppress(_Ended):
                    return await self._work(worker, data, job)
        raise NotPrepared("decoder_died")

    def _idle_worker(self) -> "_Worker | None":
        """One that has nothing to do and has not ended meanwhile."""
        while self._idle:
            if (worker := self._idle.pop()).process.returncode is None:
                return worker
        return None

    async def probe(self) -> None:
        """Return once a worker can work. `WorkerNotStarted` escapes."""
        self._idle.append(await self._started())

    async def _work(self, worker: "_Worker", data: bytes, job: Job) -> Prepared:
        is_good = False
        try:
            async with asyncio.timeout(self._bounds.seconds):
                try:
                    prepared = await worker.work(data, job)
                except NotPrepared as error:
                    is_good = error.code != "decode_memory"  # it ends by itself
                    raise
            is_good = True
        except TimeoutError:
            raise NotPrepared("decode_timeout") from None
        finally:
            if is_good and worker.jobs < _MOST_JOBS:
                self._idle.append(worker)
            else:
                await worker.end()
        return prepared

    async def _started(self) -> "_Worker":
        arguments = ("-P", "-m", _MODULE, str(self._bounds.memory), str(int(self._bounds.seconds)))
        try:
            # A session of its own: Ctrl-C at a terminal is this process's alone.
            process = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=self._environment,
                start_new_session=True, limit=_SLICE,
            )  # fmt: skip
        except OSError as error:
            raise self._not_started(error.strerror or "no process") from error
        worker = _Worker(process)
        try:
            await self._until_ready(worker)
        except (TimeoutError, _Ended) as error:
            await worker.end()
            raise self._not_started(f"exit code {process.returncode}") from error
        except BaseException:
            await worker.end()
            raise
        self.problem = None
        return worker

    async def _until_ready(self, worker: "_Worker") -> None:
        """Return once it can work. `TimeoutError` escapes; and `_Ended`, once it has ended, or should have."""
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await worker.ready()
        except _Ended:  # its output has ended, and so will it: the exit code is to be its own
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(worker.process.wait(), _OWN_END_TIMEOUT)
            raise

    def _not_started(self, problem: str) -> WorkerNotStarted:
        self.problem = problem
        return WorkerNotStarted(problem)

    async def close(self) -> None:
        """End all that have nothing to do; those that have must have been cancelled."""
        while self._idle:
            await self._idle.pop().end()


@dataclass(slots=True, eq=False)
class _Worker:
    """One process."""

    process: Process
    jobs: int = field(default=0, init=False)

    async def ready(self) -> None:
        """Return once it can work. `_Ended` escapes."""
        if await self._read(len(wire.READY)) != wire.READY:
            raise _Ended

    async def work(self, data: bytes, job: Job) -> Prepared:
        """Do a job. `NotPrepared` and `_Ended` escape."""
        self.jobs += 1
        await self._write(wire.written_job(job, len(data)), data)
        length = int.from_bytes(await self._read(wire.LENGTH), "big")
        if length > wire.MOST_HEADER:
            raise _Ended
        try:
            announced = wire.read_answer(await self._read(length), job)
        except wire.Garbled:
            raise _Ended from None
        return announced.with_bytes([await self._read_picture(size) for size in announced.sizes])

    async def end(self) -> None:
        """End it at once, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def _write(self, header: bytes, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(header)
            for start in range(0, len(data), _SLICE):
                self.process.stdin.write(data[start : start + _SLICE])
                await self.process.stdin.drain()
        except OSError:
            raise _Ended from None

    async def _read(self, count: int) -> bytes:
        assert self.process.stdout is not None
        try:
            return await self.process.stdout.readexactly(count)
        except (asyncio.IncompleteReadError, OSError):
            raise _Ended from None

    async def _read_picture(self, size: int) -> bytes:
        """Read so many bytes into the room that they will have."""
        assert self.process.stdout is not None
        data = io.BytesIO(bytes(size))
        while data.tell() < size:
            piece = await self.process.stdout.read(min(_SLICE, size - data.tell()))
            if not piece:
                raise _Ended
            data.write(piece)
        return data.getvalue()


class Preparing:
    """
    Prepares images, and bounds the bytes of what is made of them.

    Room for pictures is apart from that for files: if it were not, files that wait for a worker could hold all of it,
    and the worker's pictures wait for theirs.
    """

    def __init__(self, workers: Workers, held: BytesHeld) -> None:
        self.workers = workers
        self.held = held

    def reasons_not_ready(self) -> list[str]:
        """Say why images cannot be decoded, where no worker can be started."""
        problem = self.workers.problem
        return [] if problem is None else [f"no worker that decodes images can be started ({problem})"]

    @contextlib.asynccontextmanager
    async def prepared(self, data: bytes, job: Job) -> AsyncIterator[Prepared]:
        """
        Hold what is made of a file.

        Raises:
            NotPrepared: saying why.
            WorkerNotStarted: no worker could be had.
        """
        with self.held.room() as room:
            await room.take(job.most_prepared)
            prepared = await self.workers.work(data, job)
            del data  # it is not held while what was made of it is uploaded
            room.shrink(sum(len(picture.data) for picture in prepared.pictures))
            yield prepared


@contextlib.asynccontextmanager
async def open_preparing(bounds: Bounds, held: BytesHeld, environment: Mapping[str, str]) -> AsyncIterator[Preparing]:
    """
    Workers that are started when they are needed, and ended when the context ends.

    Raises:
        Misconfigured: the extra is not installed.
    """
    with extra("images", "images.frames, images.convert or images.oversize: scale"):
        import PIL  # noqa: F401 — only workers use it
    workers = Workers(bounds, environment)
    try:
        yield Preparing(workers, held)
    finally:
        await workers.close()
