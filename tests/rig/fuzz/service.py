"""
The service under test: started as an operator starts it, watched from outside.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka.errors import KafkaError

from tests.rig.fuzz.documents import SECRET
from tests.rig.fuzz.wire import Wire
from tests.rig.kafka import committed
from tests.rig.replica import KEY, Replica

MIB = 1024 * 1024
PROBES = ("/readyz", "/livez")
POLL = 0.25  # seconds
SHOWN = 20  # problems of a kind that are told in full
_EXIT = 60.0


@dataclass(slots=True)
class Report:
    """What a play found."""

    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    suspects: list[int] = field(default_factory=list)
    """Numbers of cases that a problem names."""

    def expect(self, holds: bool, problem: str, *cases: int) -> None:
        """Note a problem unless `holds`."""
        if not holds:
            self.problems.append(problem)
            self.suspects += cases

    def shown(self) -> Iterator[str]:
        """The first problems, and how many more there are."""
        yield from self.problems[:SHOWN]
        if len(self.problems) > SHOWN:
            yield f"… and {len(self.problems) - SHOWN} more"


@dataclass(slots=True)
class Run:
    """One life of the service."""

    replica: Replica
    status: int | None = None
    peak: int = 0
    """Bytes: the most memory that it ever held."""

    pages: dict[str, str] = field(default_factory=dict)
    """What it said last, by path."""

    async def look(self) -> None:
        """Note its memory and what its pages say."""
        with contextlib.suppress(OSError, ValueError):
            self.peak = max(self.peak, peak_memory(self.replica.pid))
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
                self.pages["/metrics"] = await self.replica.metrics_page()
                for page in (*PROBES, "/offsets"):
                    url = self.replica.url if page in PROBES else self.replica.metrics_url
                    async with session.get(url + page) as answer:
                        self.pages[page] = await answer.text()

    async def end(self) -> int | None:
        """Look once more, ask it to go, and return its exit status; None where it does not go."""
        await self.look()
        if self.replica.running:
            self.replica.terminate()
        try:
            self.status = await self.replica.ended(_EXIT)
        except AssertionError:
            self.status = None
        return self.status

    def counted(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples as the pages said last."""
        total = 0.0
        for line in self.pages.get("/metrics", "").splitlines():
            is_ours = line.startswith(name) and line[len(name) : len(name) + 1] in ("{", " ")
            if is_ours and all(f'{label}="{value}"' in line for label, value in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total

    def told(self) -> Iterator[str]:
        """Where a secret stands in its log and pages."""
        secret = SECRET.encode()
        for number, line in enumerate(self.replica.log.read_bytes().splitlines(), 1):
            if secret in line:
                yield f"log line {number}: {line[:300]!r}"
        for page, text in self.pages.items():
            if SECRET in text:
                yield page


def peak_memory(pid: int) -> int:
    """The most memory, in bytes, that a process has had in RAM. Linux."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"process {pid} has no VmHWM")


@asynccontextmanager
async def service(folder: Path, config: Mapping[str, Any], name: str) -> AsyncIterator[Run]:
    """Start the service; kill what is left of it at the end."""
    environment = {**KEY, "PYTHONFAULTHANDLER": "1"}
    async with Replica.started(folder, config, name=name, environment=environment) as replica:
        yield Run(replica)


class Progress:
    """How far a group is, and whether it still moves."""

    def __init__(self, bootstrap_servers: str, wire: Wire, group: str, topics: Mapping[str, int]) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._wire = wire
        self._group = group
        self._topics = topics

    async def open(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Partitions that are not all committed: the committed offset, 0 where there is none, and the end."""
        try:
            offsets = await committed(self._bootstrap_servers, self._group)
        except KafkaError:
            offsets = {}
        found = {}
        for topic, count in self._topics.items():
            ends = await self._wire.ends(topic, range(count))
            for partition, end in ends.items():
                at = next((max(0, state.offset) for place, state in offsets.items() if place == (topic, partition)), 0)
                if at < end:
                    found[topic, partition] = (at, end)
        return found

    async def until_done(self, run: Run, patience: float, told: Any = None) -> dict[tuple[str, int], tuple[int, int]]:
        """
        Return what is left once nothing is, the service has ended, or nothing moved for `patience` seconds.

        told: called with the number of records that are left.
        """
        last: Any = None
        moved = time.monotonic()
        while True:
            left = await self.open()
            if left != last:
                last, moved = left, time.monotonic()
            if told:
                told(sum(end - at for at, end in left.values()))
            if not left or not run.replica.running or time.monotonic() - moved > patience:
                return left
            await run.look()
            await asyncio.sleep(POLL)


def memory_bound(partitions: int, *, outcomes: int = 0, in_flight: int = 64) -> int:
    """
    What `docs/operations.md` (Sizing) says of memory, in bytes, for the settings that are shipped.

    outcomes: known beyond a committed offset.
    """
    resting, admitted, fetched, polled, unpacking, answer = (
        100 * MIB,
        64 * MIB,
        MIB // 4,
        16 * MIB,
        2 * 16 * MIB,
        2 * MIB,
    )
    return resting + admitted + partitions * fetched + polled + unpacking + in_flight * answer + 80 * outcomes


def readable(size: float) -> str:
    """Bytes for people."""
    return f"{size / MIB:.0f} MiB"
