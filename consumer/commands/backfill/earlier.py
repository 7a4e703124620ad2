"""
What this run has sent before, by what stands in the topic: nothing else remembers it.

A process that was killed a moment ago may have a batch on its way, which a broker appends after the end was read. So
the end is read again, until nothing of this run comes any more. Where that does not stop, another process sends.
"""

import contextlib
from typing import NamedTuple

from consumer.clock import Clock
from consumer.commands.backfill.uploads import digest_of
from consumer.commands.topics import CLOCK_SKEW, Topics
from consumer.errors import ConsumerError

PAUSE = 1.0  # seconds
MOST_PAUSES = 5


class StillSending(ConsumerError):
    """Another process sends this run."""


class Earlier(NamedTuple):
    """Digests of what was sent before; and whether older records were deleted, of which some may have been too."""

    digests: frozenset[bytes]
    deleted: bool


async def earlier(topics: Topics, run: str, clock: Clock) -> Earlier:
    """
    Read back what a run has sent into a topic. `KafkaError` escapes.

    Raises:
        StillSending: another process sends it at this moment.
    """
    deleted = any((await topics.beginnings()).values())
    began = clock.wall()
    found = await _digests(topics, run, 0.0)
    for _ in range(MOST_PAUSES):
        await clock.sleep(PAUSE)
        came = await _digests(topics, run, began) - found
        if not came:
            return Earlier(frozenset(found), deleted)
        found |= came
    raise StillSending(f"--run {run}: another process sends it into {topics.topics[0]} now: wait for it, or end it")


async def _digests(topics: Topics, run: str, since: float) -> set[bytes]:
    begins = f"{run}/"
    found: set[bytes] = set()
    async for name in topics.names(max(0.0, since - CLOCK_SKEW)):
        text = name.decode("ascii", "replace")
        if text.startswith(begins):
            with contextlib.suppress(ValueError):  # whoever wrote that, it was not this command
                found.add(digest_of(text))
    return found
