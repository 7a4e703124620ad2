"""
Publishing what a command makes: paced, acknowledged, and looked up where an acknowledgement is lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from consumer.clock import Clock
from consumer.commands.topics import Topics
from consumer.dispatch.in_flight import InFlight
from consumer.errors import ConsumerError, OutcomeRefused
from consumer.journal.headers import Source, SourceHeaders
from consumer.records import Partition, SourceId
from consumer.verdicts.encode import Encoded
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.refused import REMEDIES
from consumer.verdicts.sink import KafkaSink
from consumer.verdicts.unconfirmed import UnconfirmedPublishes

AT_ONCE = 500  # that are not acknowledged yet
CATCH_UP = 0.1  # seconds of pauses that took too long, which are made up for
_NAMES = SourceHeaders(kind="verdict", id="ce_id", topic="", partition="", offset="")  # none of these is written


class NotTaken(ConsumerError):
    """A topic does not take a record."""


@contextlib.contextmanager
def ungrouped() -> Iterator[None]:
    """Let one error of a group escape: what a topic refused, or else the first. Callers sort errors by their class."""
    one: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as errors:
        one = next((each for each in errors.exceptions if isinstance(each, ConsumerError)), errors.exceptions[0])
    if one is not None:
        raise one  # outside of the group's handling: its own cause stays


@dataclass(slots=True)
class Publishing:
    """Publishes at a rate, many at once."""

    sink: KafkaSink
    clock: Clock
    rate: float  # a second
    tasks: asyncio.TaskGroup
    _due: float = 0.0
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, topics: Topics, clock: Clock, rate: float) -> AsyncIterator["Publishing"]:
        """
        Publish until the block ends, and wait for what is not acknowledged then. `NotTaken` escapes, and what the block
        raises.
        """
        unconfirmed = UnconfirmedPublishes(topics.find, clock)
        async with KafkaSink.open(topics.settings, topics.access, unconfirmed, InFlight(clock), clock) as sink:
            with ungrouped():
                async with asyncio.TaskGroup() as tasks:
                    yield cls(sink, clock, rate, tasks)

    async def publish(self, name: str, topic: str, record: Encoded, published: Callable[[], None]) -> None:
        """Begin to publish a record, when its turn has come; `published` is told once it is durable."""
        await self._turn()
        source = Source(SourceId(name), Partition("", 0), 0)
        outcome = Outcome(source=source, names=_NAMES, topic=topic, record=record)
        self.tasks.create_task(self._publish(outcome, published))

    async def _turn(self) -> None:
        await self._free.acquire()
        now = self.clock.now()
        self._due = max(self._due, now - CATCH_UP)
        if (wait := self._due - now) > 0:
            await self.clock.sleep(wait)
        self._due += 1 / self.rate

    async def _publish(self, outcome: Outcome, published: Callable[[], None]) -> None:
        try:
            await self.sink.publish(outcome)
        except OutcomeRefused as refused:
            what = f"{outcome.topic}: does not take a record: {refused.word}: {REMEDIES[refused.word]}"
            raise NotTaken(what) from refused
        finally:
            self._free.release()
        published()
