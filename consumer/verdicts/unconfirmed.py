"""
Looks up, in batches, whether publishes whose acknowledgement was lost were written, before they are sent again.

An outage leaves many of them at once, so they are looked up together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError

from consumer.clock import Clock
from consumer.records import SourceId

log = structlog.get_logger()

RETRY_DELAY = 1.0  # seconds

Find = Callable[[Collection[SourceId], float], Awaitable[Collection[SourceId]]]
"""Finds which outcomes are in the output topics, written since a moment (unix seconds). `KafkaError` escapes."""


class Asked(NamedTuple):
    """Whether an outcome was written, and the task that waits for the answer."""

    outcome: SourceId
    since: float  # unix seconds
    answer: asyncio.Future[bool]


class UnconfirmedPublishes:
    """Looks up, in batches, whether publishes whose acknowledgement was lost were written."""

    def __init__(self, find: Find, clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._asked: list[Asked] = []
        self._looking = asyncio.Lock()

    async def is_published(self, outcome: SourceId, since: float) -> bool:
        """Whether an outcome that was sent at `since` (unix seconds) or later was written. Waits for a broker."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append(Asked(outcome, since, answer))
        async with self._looking:
            if not answer.done():
                asked, self._asked = self._asked, []
                try:
                    await self._look(asked)
                except BaseException:
                    self._asked = asked + self._asked  # the next one looks for all of them
                    raise
        return await answer

    async def _look(self, asked: Sequence[Asked]) -> None:
        wanted, since = {each.outcome for each in asked}, min(each.since for each in asked)
        while True:
            try:
                found = await self._find(wanted, since)
            except KafkaError as error:
                log.warning("outcomes.not_looked_up", count=len(asked), error=type(error).__name__)
                await self._clock.sleep(RETRY_DELAY)
            else:
                break
        log.info("outcomes.looked_up", count=len(asked), written=len(found))
        for each in asked:
            if not each.answer.done():
                each.answer.set_result(each.outcome in found)
