"""
What this run has sent before, by what stands in the topic: nothing else remembers it.

A process that was killed a moment ago may have a batch on its way, which a broker appends after the end was read. So
the end is read again, until nothing of this run comes any more. Where that does not stop, another process sends.
"""

from typing import NamedTuple

from consumer.clock import Clock
from consumer.commands.topics import Topics
from consumer.errors import ConsumerError

PAUSE = 1.0  # seconds
MOST_PAUSES = 5


class StillSending(ConsumerError):
    """Another process sends this run."""


class Earlier(NamedTuple):
    """Names of what was sent before; and whether older records were deleted, of which some may have been too."""

    names: frozenset[str]
    deleted: bool


async def earlier(topics: Topics, run: str, clock: Clock) -> Earlier:
    """
    Read back what a run has sent into a topic. `KafkaError` escapes.

    Raises:
        StillSending: another process sends it at this moment.
    """
    deleted = any((await topics.beginnings()).values())
    began = clock.wall()
    found = await _names(topics, run, 0.0)
    for _ in range(MOST_PAUSES):
        await clock.sleep(PAUSE)
        came = await _names(topics, run, began) - found
        if not came:
            return Earlier(frozenset(each.decode() for each in found), deleted)
        found |= came
    raise StillSending(f"--run {run}: another process sends it into {topics.topics[0]} now: wait for it, or end it")


async def _names(topics: Topics, run: str, since: float) -> set[bytes]:
    begins = f"{run}/".encode()
    return {name async for name in topics.names(max(0.0, since - 60.0)) if name.startswith(begins)}
