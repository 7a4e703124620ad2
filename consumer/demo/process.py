"""The real service as a process of its own: started as its users start it, watched by its pages, stopped by its id."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from consumer.config.origins import ENVIRONMENT_PREFIX
from consumer.demo import tether

_STOP_TIMEOUT = 45.0  # longer than the service's own: draining, the last commit, leaving the group


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the service says of itself."""

    calls_in_flight: int = 0
    ignored: Counter[str] = field(default_factory=Counter)


class ServiceProcess:
    """A running service. Made by `running_service`."""

    def __init__(self, process: Process, http: aiohttp.ClientSession, urls: tuple[str, str], log: Path) -> None:
        self._process = process
        self._http = http
        self.url, self.metrics_url = urls
        """Base URLs of its probes' pages, and of its metrics and offsets."""
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit status, negative for a signal, or None while it runs."""
        return self._process.returncode

    async def is_ready(self) -> bool:
        """Whether it reads uploads."""
        try:
            async with self._http.get(f"{self.url}/readyz") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False  # it does not listen yet

    async def vitals(self) -> Vitals:
        """Read its metrics. `aiohttp.ClientError` escapes where it does not answer."""
        async with self._http.get(f"{self.metrics_url}/metrics") as response:
            return read_vitals(await response.text())

    async def stop(self) -> int:
        """Send SIGTERM, wait for the end and return the exit status. After 45 seconds it is killed."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


@asynccontextmanager
async def running_service(
    config: Path, overrides: Sequence[str], credentials: Mapping[str, str], log: Path, command: str = "run"
) -> AsyncIterator[ServiceProcess]:
    """
    Run the service until the context ends, and have it ended then.

    `command` is what runs: the service, or `feedback` beside it. `overrides` are `key=value` settings beside the
    file's; free ports for its pages are added to them. `log` takes its output. Settings in our own environment are not
    its: the demo's are meant to be all.
    """
    port, metrics_port = _free_ports()
    words = [sys.executable, "-m", "consumer", command, "--config", str(config)]
    for override in (*overrides, f"health.port={port}", f"health.metrics_port={metrics_port}"):
        words += ["--set", override]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),  # -I -S: a tether needs no packages
            *words,
            env={**environment, **credentials},
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a terminal's Ctrl-C is the demo's alone, which stops it in order
        )
    # Never through a proxy: it is on this machine.
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0), trust_env=False) as http:
        urls = (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}")
        service = ServiceProcess(process, http, urls, log)
        try:
            yield service
        finally:
            await service.stop()


def read_vitals(page: str) -> Vitals:
    """Take what the demo shows from a page of metrics in Prometheus' text format."""
    in_flight, ignored = 0, Counter[str]()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == "moderation_calls_in_flight":
                in_flight = int(sample.value)
            elif sample.name == "moderation_messages_total" and sample.labels["outcome"] == "ignored":
                ignored[sample.labels["reason"]] = int(sample.value)
    return Vitals(in_flight, ignored)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]
