"""The processes that decode: what one job cannot do to another, to this process, or to the machine."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from consumer.errors import Misconfigured
from consumer.images.held import BytesHeld
from consumer.images.preparing import NotPrepared, WorkerNotStarted, wire
from consumer.images.preparing.workers import Bounds, Preparing, Workers, open_preparing
from tests.images.preparing.files import animated, endless_gif, job, written

HELD = 1 << 27
SMALL = animated("GIF", ("red", "blue"))
JOB = job("gif", frames=2)


@contextlib.asynccontextmanager
async def workers(**bounds: int | float) -> AsyncIterator[Workers]:
    """Workers that are ended."""
    made = Workers(Bounds(**bounds), os.environ)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


async def code_of(made: Workers, data: bytes, **changes: int) -> str:
    with pytest.raises(NotPrepared) as refused:
        await made.work(data, job("gif" if data[:3] == b"GIF" else "png", **changes))
    return refused.value.code


def pids() -> set[int]:
    """The processes that this one has started, and not waited for."""
    return {int(each) for each in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def can_work(pid: int) -> bool:
    """Whether a worker has begun to: its limits are set by then."""
    return "Max open files            0 " in Path(f"/proc/{pid}/limits").read_text()


def has_no_output(pid: int) -> bool:
    """Whether a process has closed its output, which it had at first."""
    return not Path(f"/proc/{pid}/fd/1").exists()


def worked(pid: int) -> int:
    """Clock ticks of a CPU that a process has had."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)


async def busy(pid: int) -> None:
    """Return once a worker that was idle is at its job."""
    idle = worked(pid)
    async with asyncio.timeout(30):
        while worked(pid) < idle + 3:
            await asyncio.sleep(0.01)


async def test_a_worker_is_kept_and_ended_with_the_others() -> None:
    """
    Starting one takes longer than most jobs.
    """
    before = pids()
    async with workers(at_once=1) as made:
        for _ in range(3):
            assert (await made.work(SMALL, JOB)).frames == 2
            [pid] = pids() - before
        assert await code_of(made, SMALL[:40]) == "undecodable"
        assert pids() - before == {pid}
    assert pids() == before


async def test_a_worker_has_no_secret_and_no_file() -> None:
    """
    Of this process's environment it has what it is found with, and its limits let it open nothing.
    """
    before = pids()
    environment = {**os.environ, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary", "HTTPS_PROXY": "http://u:canary@proxy"}
    async with open_preparing(Bounds(), BytesHeld(HELD), environment) as preparing, preparing.prepared(SMALL, JOB):
        [pid] = pids() - before
        given = Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()

    assert b"canary" not in given
    assert {line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")} == {"0"}
    assert {line.split()[3] for line in limits.splitlines() if line.startswith("Max address space")} == {str(1 << 30)}
    assert {line.split()[3] for line in limits.splitlines() if line.startswith("Max file size")} == {"0"}


@pytest.mark.parametrize("killed_before", [True, False])
async def test_a_job_whose_worker_was_killed_is_done_by_another(killed_before: bool) -> None:
    """
    The system may have ended it for want of memory, which another job took.
    """
    before = pids()
    async with workers(at_once=1, seconds=60.0) as made:
        await made.work(SMALL, JOB)
        [pid] = pids() - before
        if killed_before:
            os.kill(pid, signal.SIGKILL)
            assert (await made.work(SMALL, JOB)).frames == 2
            return
        hanging = asyncio.ensure_future(made.work(endless_gif(), JOB))
        await busy(pid)
        os.kill(pid, signal.SIGKILL)
        while not (others := [each for each in pids() - before - {pid} if can_work(each)]):
            await asyncio.sleep(0.01)
        os.kill(others[0], signal.SIGKILL)
        with pytest.raises(NotPrepared, match="decoder_died"):
            await hanging
        assert (await made.work(SMALL, JOB)).frames == 2


async def test_idle_workers_that_were_killed_refuse_no_image() -> None:
    """
    However many: the system's want of memory ends those that have nothing to do as well.
    """
    before = pids()
    async with workers(at_once=3) as made:
        await asyncio.gather(*(made.work(SMALL, JOB) for _ in range(3)))
        killed = pids() - before
        assert len(killed) == 3
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

        assert (await made.work(SMALL, JOB)).frames == 2


async def test_a_job_that_takes_too_long_ends_alone() -> None:
    """
    Its neighbour goes on, and what comes after it has a worker as well.
    """
    before = pids()
    async with workers(at_once=2, seconds=1.0) as made:
        await asyncio.gather(made.work(SMALL, JOB), made.work(SMALL, JOB))
        began = time.monotonic()
        hanging = asyncio.ensure_future(code_of(made, endless_gif()))
        while not hanging.done():
            assert (await made.work(SMALL, JOB)).frames == 2
        took = time.monotonic() - began
        assert (await made.work(SMALL, JOB)).frames == 2

    assert await hanging == "decode_timeout"
    assert took < 10
    assert pids() == before


async def test_a_job_that_takes_too_much_memory_ends_alone() -> None:
    """
    The next one has a worker of its own.
    """
    bomb = written(Image.new("1", (12_000, 12_000)), "PNG")
    async with workers(at_once=1, memory=260_000_000, seconds=30.0) as made:
        assert await code_of(made, bomb, most_decoded=200_000_000) == "decode_memory"
        assert (await made.work(SMALL, JOB)).frames == 2


async def test_a_job_that_nobody_waits_for_is_ended() -> None:
    """
    With its worker: it would go on working.
    """
    before = pids()
    async with workers(at_once=1, seconds=60.0) as made:
        await made.work(SMALL, JOB)
        [pid] = pids() - before
        hanging = asyncio.ensure_future(made.work(endless_gif(), JOB))
        await busy(pid)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert pids() == before
        assert (await made.work(SMALL, JOB)).frames == 2


async def test_that_no_worker_can_be_started_is_no_images_fault() -> None:
    """
    It is no refusal of the image: what it was about is tried again.
    """
    made = Workers(Bounds(), {**os.environ, "PYTHONHOME": "/nowhere"})
    with pytest.raises(WorkerNotStarted):
        await made.work(SMALL, JOB)

    [reason] = Preparing(made, BytesHeld(HELD)).reasons_not_ready()
    assert reason == "no worker that decodes images can be started (exit code 1)"


async def test_a_worker_that_closes_its_output_and_goes_on_is_ended_by_a_stop(tmp_path: Path) -> None:
    """
    However soon that comes: a process that was started here outlives nobody who waited for it.
    """
    module = tmp_path / "consumer" / "images" / "preparing" / "worker.py"
    module.parent.mkdir(parents=True)
    for package in (module.parent, module.parent.parent, module.parent.parent.parent):
        (package / "__init__.py").touch()
    module.write_text("import os, time\nos.close(1)\ntime.sleep(60)\n")
    made, before = Workers(Bounds(), {**os.environ, "PYTHONPATH": str(tmp_path)}), pids()
    asked = asyncio.ensure_future(made.work(SMALL, JOB))
    while not (started := pids() - before) or not all(map(has_no_output, started)):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked
    assert pids() == before


@pytest.mark.scenario
async def test_a_worker_that_nobody_waits_for_ends_by_itself() -> None:
    """
    After its seconds of the CPU: also where the service is gone, which would have ended it.
    """
    arguments = ("-P", "-m", "consumer.images.preparing.worker", str(1 << 30), "1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    data = endless_gif()
    process.stdin.write(wire.written_job(JOB, len(data)) + data)
    async with asyncio.timeout(60):
        assert await process.wait() == -signal.SIGXCPU
    process.stdin.close()


async def test_what_is_made_is_held_until_it_is_uploaded() -> None:
    """
    A job begins once there is room for the most that it may make, and gives back what it has not made.
    """
    held = BytesHeld(30_000_000)
    async with open_preparing(Bounds(), held, os.environ) as preparing:
        async with preparing.prepared(SMALL, JOB) as made:
            assert held.taken == sum(len(picture.data) for picture in made.pictures) > 0
        await _fail(preparing)
    assert held.taken == 0


async def _fail(preparing: Preparing) -> None:
    with pytest.raises(NotPrepared):
        async with preparing.prepared(b"GIF89a", JOB):
            raise AssertionError


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With the command that installs it.
    """
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Misconfigured, match=r"pip install 'moderation-consumer\[images\]'"):
        async with open_preparing(Bounds(), BytesHeld(HELD), {}):
            raise AssertionError
