"""A scan that ends by SIGKILL: what was in flight then, and what it had kept."""

import asyncio
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path

import orjson

from consumer.emulator.calls import METERED, arrival_now
from tests.commands.scan.account import Account

WRITING = 0.3
"""
Seconds from the provider's last byte of an answer to its result in the file, at the most. It takes a few milliseconds;
the rest is for a machine on which the scan, or the emulator in this process, has to wait for its turn.
"""


def results(path: Path) -> list[bytes]:
    """The lines of images that have all their answers."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [line for line in lines if line.startswith(b'{"asked"')]


@dataclass(frozen=True, slots=True)
class Killed:
    """A scan at its end. All are submissions' ids, of which each image has one."""

    called: frozenset[str]  # that the provider has answered, at a price
    remembered: frozenset[str]  # whose result is kept
    in_flight: frozenset[str]  # of those: whose call had not ended by then, or no longer ago than `WRITING`

    @property
    def lost(self) -> frozenset[str]:
        """What was paid for and is not remembered: all that may be paid for again."""
        return self.called - self.remembered


async def killed(provider: Account, process: Process, state: Path) -> Killed:
    """End a scan by SIGKILL, wait until the provider has done with what reached it, and look at what is left."""
    moment = arrival_now()
    process.kill()
    await process.wait()
    async with asyncio.timeout(20):
        while provider.emulator.stats()["in_progress"]:
            await asyncio.sleep(0.01)
    calls = [call for call in provider.emulator.calls if call.action == METERED and call.billed]
    return Killed(
        frozenset(call.data_id or "" for call in calls),
        frozenset(orjson.loads(line)["asked"][:32] for line in results(state)),
        # By now all have ended: those that were on their way, after the moment.
        frozenset(call.data_id or "" for call in calls if (call.ended or moment) > moment - WRITING),
    )


def billed_again(provider: Account) -> set[str]:
    """The submissions that the provider was paid for more than once."""
    billed = [call.data_id or "" for call in provider.emulator.calls if call.billed]
    return {each for each in billed if billed.count(each) > 1}
