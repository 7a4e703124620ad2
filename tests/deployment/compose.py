"""
compose.yaml without containers: its services as processes of this machine, each with the command that stands there.

A host name of compose's network becomes loopback with a free port, and a path in the image the repository's own. Kafka
is left out: whoever calls brings a broker, and its topics.
"""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.rig.kafka.broker import TETHER

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENTRYPOINT = ["moderation-consumer"]
COMMAND = ["run", "--config", "/etc/moderation-consumer/consumer.yaml"]
"""What the Dockerfile gives to services that name none of their own."""


class Composed:
    """Running services. Made by `composed`."""

    def __init__(self, folder: Path, here: Mapping[str, str]) -> None:
        self._folder = folder
        self._here = here
        self.processes: dict[str, Process] = {}

    async def start(self, service: str, *arguments: str, **environment: str) -> None:
        """Start a service, with more arguments and variables than compose.yaml gives it."""
        given = SERVICES[service]
        command = given["entrypoint"] if "entrypoint" in given else ENTRYPOINT + given.get("command", COMMAND)
        variables = {name: self._moved(str(value)) for name, value in given.get("environment", {}).items()}
        with (self._folder / service).open("wb") as output:
            self.processes[service] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(TETHER), str(os.getpid())),
                *(program for word in command for program in PROGRAMS.get(word, [self._moved(word)])),
                *arguments,
                cwd=self._folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **variables, **environment},
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
            )

    def said(self, service: str) -> str:
        """What a service has printed so far."""
        return (self._folder / service).read_text()

    def _moved(self, word: str) -> str:
        for there, here in self._here.items():
            word = word.replace(there, here)
        return word


PROGRAMS = {
    "python": [sys.executable],
    "moderation-consumer": [sys.executable, "-m", "consumer"],
}


@asynccontextmanager
async def composed(folder: Path, bootstrap_servers: str) -> AsyncIterator[Composed]:
    """Services that write what they print to `folder`; what is left of them at the end is killed."""
    images, emulator = free_port(), free_port()
    running = Composed(
        folder,
        {
            "kafka:9092": bootstrap_servers,
            "images:8000": f"127.0.0.1:{images}",
            "emulator:8090": f"127.0.0.1:{emulator}",
            "8000": str(images),
            "8090": str(emulator),
            "0.0.0.0": "127.0.0.1",
            "/etc/moderation-consumer/": f"{ROOT}/config/",
            "/examples/": f"{ROOT}/examples/",
        },
    )
    try:
        yield running
    finally:
        for process in running.processes.values():
            if process.returncode is None:
                process.kill()
                await process.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
