"""
Publish each outcome once: in the order of its key, while its partition is ours, and not where it stands already.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from consumer.clock import Clock
from consumer.errors import OutcomeRefused
from consumer.observability import metrics
from consumer.records import Delivery, Partition, SourceId
from consumer.verdicts import Sink
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.refused import RefusedOutcomes


class PublishTurn(Protocol):
    """The right of a message to publish, in the order of its key and tenants."""

    def narrow(self, tenants: Collection[str | None]) -> None:
        """Say whose the message is, which until then may be anybody's: it waits for theirs, and they for it."""
        ...

    async def wait(self) -> None:
        """
        Return once every earlier message of its key and tenants has its outcomes and the partition is certainly ours.

        `Lost` escapes where it is another replica's by now.
        """
        ...


class Journal(Protocol):
    """What is published already, of records that may be read again."""

    def holds(self, delivery: Delivery, outcome: SourceId) -> bool: ...

    def note(self, partition: Partition, offset: int, outcome: SourceId, at: float) -> object: ...


@dataclass(frozen=True, slots=True)
class Publisher:
    """See the module."""

    journal: Journal
    sink: Sink
    refused: RefusedOutcomes
    clock: Clock
    _leaving: set[SourceId] = field(default_factory=set)  # handed to the sink, and not known to be durable

    def is_published(self, delivery: Delivery, outcome: SourceId) -> bool:
        """Whether an outcome of the message stands in its topic already, as far as the journal is read."""
        if not self.journal.holds(delivery, outcome):
            return False
        metrics.JOURNAL_SAVED.inc()
        return True

    async def publish(
        self, outcome: SourceId, make: Callable[[float], Outcome], delivery: Delivery, turn: PublishTurn
    ) -> bool:
        """
        Return once the outcome of that id, which `make` encodes at a moment (unix seconds), is durable.

        False where it was published meanwhile, while the partition was another's. `Lost` escapes where it still is.
        """
        await self._may_publish(turn)
        if self.is_published(delivery, outcome):
            return False
        began = self.clock.wall()
        with self._leaving_as(outcome):
            await self._send(make(began), delivery, turn)
            self.journal.note(delivery.topic_partition, delivery.offset, outcome, began)
        return True

    def is_leaving(self, delivery: Delivery, outcome: SourceId) -> bool:
        """Whether an outcome of the message is published, or may be at any moment."""
        return outcome in self._leaving or self.journal.holds(delivery, outcome)

    async def publish_out_of_turn(self, outcome: Outcome, delivery: Delivery) -> None:
        """
        Return once what is no outcome of the message is durable; whose the partition is, the caller has looked at.

        It waits for no key. `OutcomeRefused` escapes where its topic does not take it.
        """
        began = self.clock.wall()
        with self._leaving_as(outcome.id):
            try:
                await self.sink.publish(outcome)
            except OutcomeRefused as refused:
                if not refused.too_large or outcome.smaller is None:
                    raise
                await self.sink.publish(replace(outcome, record=outcome.smaller(), smaller=None))
            self.journal.note(delivery.topic_partition, delivery.offset, outcome.id, began)

    @contextmanager
    def _leaving_as(self, outcome: SourceId) -> Iterator[None]:
        self._leaving.add(outcome)
        try:
            yield
        finally:
            self._leaving.discard(outcome)

    async def _send(self, outcome: Outcome, delivery: Delivery, turn: PublishTurn) -> None:
        """Return once the outcome is durable. What its topic refuses is held, and tried again while it is ours."""
        try:
            while True:
                try:
                    return await self.sink.publish(outcome)
                except OutcomeRefused as refused:
                    outcome = await self.refused.wait(outcome, delivery, refused)
                    await self._may_publish(turn)
        finally:
            self.refused.forget(outcome)

    async def _may_publish(self, turn: PublishTurn) -> None:
        """Wait for Kafka, the key and the partition, in this order: what waits for Kafka may lose its partition."""
        await self.sink.wait_for_capacity()
        await turn.wait()
