"""
The service as a process, as an operator runs it: a configuration file, the command line, probes and signals.

    async with Replica.started(folder, config) as replica:
        await replica.ready()
        replica.terminate()
        assert await replica.ended() == 0
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.rig.freezing import freeze
from tests.rig.kafka.broker import TETHER

ROOT = Path(__file__).parents[2]
KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "test-key-id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "test-key-secret"}
POLL = 0.05  # seconds
PAGE_LASTS = 1.05  # seconds for which its page of metrics may be the same
LOG_TAIL = 30  # lines shown when something does not come about


def surroundings() -> dict[str, str]:
    """This process's environment without its proxies: whatever a test calls is on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def total(samples: Sequence[Sample], name: str, **labels: str) -> float:
    """The sum of those that have this name and carry `labels`."""
    return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())


def _samples(page: str) -> Sequence[Sample]:
    return [sample for family in text_string_to_metric_families(page) for sample in family.samples]


@dataclass(frozen=True, slots=True)
class Release:
    """Whose code runs: this checkout's, or another release's with its own environment."""

    folder: Path = ROOT
    python: Path = Path(sys.executable)
    has_metrics_port: bool = True  # or the probes' port has its metrics too


THIS = Release()


class Replica:
    """One running service."""

    def __init__(self, process: Process, log: Path, port: int, metrics_port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"
        """Of its probes."""
        self.metrics_url = f"http://127.0.0.1:{metrics_port}"
        self.log = log
        self._scraped_at = 0.0

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        folder: Path,
        config: Mapping[str, Any],
        *,
        name: str = "replica",
        environment: Mapping[str, str] = KEY,
        program: Sequence[str] = ("consumer",),
        command: str = "run",
        release: Release = THIS,
    ) -> AsyncIterator[Self]:
        """
        Start `moderation-consumer run`, or another `command`, with `config` in `folder`; kill what is left at the end.

        `program` is the module, with its first arguments, that takes the command line's place.
        """
        with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as other:
            port, metrics_port = free.getsockname()[1], other.getsockname()[1]
        health: dict[str, Any] = {"host": "127.0.0.1", "port": port}
        if release.has_metrics_port:
            health["metrics_port"] = metrics_port
        else:
            metrics_port = port
        file, log = folder / f"{name}.yaml", folder / f"{name}.log"
        policy = str(release.folder / "config" / "policy.yaml")
        file.write_text(yaml.safe_dump({"policy": policy, **config, "health": health}))
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid())),
                *(str(release.python), "-m", *program, command, "--config", str(file)),
                cwd=release.folder,
                env={**surroundings(), **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield cls(process, log, port, metrics_port)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def suspend(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and nothing of it runs."""
        freeze(self._process.pid)

    def resume(self) -> None:
        """Send SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status is None

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.returncode

    async def ended(self, timeout: float = 30.0) -> int:
        """Return the exit status, once there is one."""
        try:
            async with asyncio.timeout(timeout):
                return await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"the service did not end within {timeout} s:\n{self.log_tail()}") from None

    async def ready(self, timeout: float = 30.0) -> None:
        """Return once /readyz says so."""
        await self.until(lambda status, _: status == 200, timeout)

    async def until(self, holds: Any, timeout: float = 30.0) -> None:
        """Return once `holds(status, text)` of /readyz is true; fail with the log's end if the service ends before."""
        seen = "no answer"
        try:
            async with asyncio.timeout(timeout), aiohttp.ClientSession() as session:
                while self._process.returncode is None:
                    try:
                        async with session.get(f"{self.url}/readyz") as answer:
                            seen = await answer.text()
                            if holds(answer.status, seen):
                                return
                    except aiohttp.ClientConnectionError:
                        pass
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise AssertionError(f"/readyz said {seen!r} for {timeout} s:\n{self.log_tail()}") from None
        raise AssertionError(f"the service ended with status {self._process.returncode}:\n{self.log_tail()}")

    async def readiness(self) -> tuple[int, str]:
        """What /readyz says: its status and its reasons."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as answer:
            return answer.status, await answer.text()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry `labels`, as it is now."""
        return total(await self.samples(), name, **labels)

    async def samples(self) -> Sequence[Sample]:
        """All that it counts now."""
        return _samples(await self.metrics_page())

    async def metrics_page(self) -> str:
        """Its page as it is now. It renders one a second: one that was seen already is waited out."""
        await asyncio.sleep(max(0.0, self._scraped_at + PAGE_LASTS - time.monotonic()))
        return await self._page()

    async def _page(self) -> str:
        self._scraped_at = time.monotonic()
        async with aiohttp.ClientSession() as session, session.get(f"{self.metrics_url}/metrics") as answer:
            return await answer.text()

    async def until_metric(self, name: str, *, at_least: float, timeout: float = 30.0) -> None:
        """Return once the metric is as high as that."""
        value = 0.0
        try:
            async with asyncio.timeout(timeout):
                while value < at_least:
                    with contextlib.suppress(aiohttp.ClientConnectionError):  # it does not serve yet
                        value = total(_samples(await self._page()), name)
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise AssertionError(f"{name} was {value} after {timeout} s:\n{self.log_tail()}") from None

    def log_tail(self) -> str:
        """The last lines that it logged."""
        return "\n".join(self.log.read_text().splitlines()[-LOG_TAIL:])
