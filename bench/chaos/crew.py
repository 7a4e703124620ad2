"""
Replicas that come and go. Each signs with a key id of its own, so that the provider's log tells them apart.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiohttp

from tests.rig.replica import KEY, THIS, Release, Replica

SERVICE = ("consumer",)
STOP_TIMEOUT = 60.0
LAST_WORDS = 2  # lines
LONGEST_WORD = 200  # characters of each


class Member(NamedTuple):
    """A process of the crew."""

    name: str
    """The caller in the provider's log."""

    replica: Replica


class Crew:
    """The processes of one group; none outlives the context."""

    def __init__(self, folder: Path, config: dict[str, Any], program: Sequence[str], stack: AsyncExitStack) -> None:
        self._folder = folder
        self._config = config
        self._program = program
        self._stack = stack
        self._started = 0
        self.members: list[Member] = []
        """Those that were not told to go, the oldest first."""

        self.statuses: list[int] = []
        """The exit statuses of those that were asked to go."""

        self.fallen: list[str] = []
        """What those said last that had ended before they were asked to go."""

    @classmethod
    @asynccontextmanager
    async def gathered(
        cls, folder: Path, config: dict[str, Any], program: Sequence[str] = SERVICE
    ) -> AsyncIterator[Self]:
        """Yield an empty crew; kill what is left of it at the end."""
        async with AsyncExitStack() as stack:
            crew = cls(folder, config, program, stack)
            try:
                yield crew
            except Exception as error:
                for member in crew.members:
                    if not member.replica.running:
                        error.add_note(_last_words(member))
                raise

    async def join(self, count: int = 1, release: Release = THIS, **changes: Mapping[str, Any]) -> list[Member]:
        """
        Start `count` more at once and return without waiting for them to be ready.

        `changes` are settings of theirs alone, by section.
        """
        return [await self._start(release, changes) for _ in range(count)]

    async def _start(self, release: Release, changes: Mapping[str, Mapping[str, Any]]) -> Member:
        self._started += 1
        name = f"replica-{self._started}"
        environment = {**KEY, "ALIBABA_CLOUD_ACCESS_KEY_ID": name}
        config = self._config | {
            section: {**self._config.get(section, {}), **each} for section, each in changes.items()
        }
        started = Replica.started(
            self._folder, config, name=name, environment=environment, program=self._program, release=release
        )
        member = Member(name, await self._stack.enter_async_context(started))
        self.members.append(member)
        return member

    async def replace_fallen(self) -> None:
        """Start one for each that has ended though nobody asked it to."""
        for member in [each for each in self.members if not each.replica.running]:
            self.members.remove(member)
            self.fallen.append(_last_words(member))
            await self.join()

    async def leave(self, *leaving: Member) -> list[int]:
        """Send SIGTERM and return the exit statuses."""
        for member in leaving:
            self.members.remove(member)
            if member.replica.running:
                member.replica.terminate()
            else:
                self.fallen.append(_last_words(member))
        statuses = await asyncio.gather(*(member.replica.ended(STOP_TIMEOUT) for member in leaving))
        self.statuses += statuses
        return statuses

    def kill(self, member: Member) -> float:
        """Send SIGKILL and return the moment before: seconds since the epoch."""
        self.members.remove(member)
        moment = time.time()
        member.replica.kill()
        return moment

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over those that run and answer; 0 where there is no such metric."""
        total = 0.0
        for member in self.members:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                total += await member.replica.metric(name)
        return total


def _last_words(member: Member) -> str:
    lines = member.replica.log_tail().splitlines()[-LAST_WORDS:]
    said = "; ".join(line[:LONGEST_WORD] for line in lines)
    return f"{member.name} ended by itself with status {member.replica.status}: {said}"
