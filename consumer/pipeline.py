"""
The life of one message. Read this file first.

    decode → (one submission an image) → assess → decide → publish → settle

`service.py` carries many at once and settles them; the stages are told apart by their faces.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from consumer.clock import Clock
from consumer.errors import ConsumerError, Lost, Undecodable
from consumer.observability import metrics
from consumer.records import Assessment, Decoded, Delivery, Failure, Ignored, Place, SourceId, Submission, Verdict
from consumer.verdicts import Sink
from consumer.verdicts.outcomes import Outcomes

log = structlog.get_logger()

UNFORESEEN_IN_A_ROW = 20  # a bug in one record is that record's; in twenty it is ours


class Broken(ConsumerError):
    """Every record meets a bug: nothing that is done now can be trusted."""


class Turn(Protocol):
    """The place of a message among those with its key."""

    async def wait(self) -> None:
        """
        Return once every earlier message of the key has its outcomes and the partition is certainly ours.

        `Lost` escapes where it is another replica's by now.
        """
        ...


class Journal(Protocol):
    """What is published already, of records that may be read again."""

    def holds(self, delivery: Delivery, outcome: SourceId) -> bool: ...

    def note(self, place: Place, offset: int, outcome: SourceId, at: float) -> None: ...


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Carries a message from its bytes to durable outcomes."""

    decode: Callable[[Delivery], Decoded]
    assess: Callable[[Submission], Awaitable[Assessment]]
    decide: Callable[[Submission, Assessment, float], Verdict]
    outcomes: Outcomes
    journal: Journal
    sink: Sink
    clock: Clock
    unforeseen: int = 0  # in a row

    async def carry(self, delivery: Delivery, turn: Turn) -> None:
        """
        Return once all that the message asks for is durable; its offset may then be committed.

        Whatever escapes leaves the message open: it will be read again. `Lost`: by another replica.
        """
        try:
            decoded = self.decode(delivery)
        except Undecodable as reason:
            await self._bury(delivery, reason, turn)
            return
        if isinstance(decoded, Ignored):
            metrics.MESSAGES.labels("ignored", decoded.reason).inc()
            return
        metrics.MESSAGES.labels("submitted", "").inc()
        if len(decoded) == 1:
            await self.process(decoded[0], turn)
            return
        # Not a TaskGroup: one image's failure must not cancel calls that are being paid for.
        endings = await asyncio.gather(*(self.process(each, turn) for each in decoded), return_exceptions=True)
        for ending in endings:
            if isinstance(ending, BaseException):
                raise ending

    async def process(self, submission: Submission, turn: Turn) -> None:
        """Return once the verdict is durable. An image that cannot be judged, or meets a bug, goes to review."""
        if self._is_published(submission.delivery, submission.id):
            return
        try:
            assessment = await self.assess(submission)
            verdict = self.decide(submission, assessment, self.clock.wall())
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 — the one place where a bug is caught
            self._count_unforeseen(submission, error)
            assessment = Assessment(failure=Failure(kind="internal", code=type(error).__name__))
            verdict = self.decide(submission, assessment, self.clock.wall())
        else:
            self.unforeseen = 0
        try:
            await self._may_publish(turn)
        except Lost:
            metrics.PAID_IN_VAIN.inc(assessment.billed_calls)
            raise
        if self._is_published(submission.delivery, submission.id):  # while the partition was another's
            metrics.PAID_IN_VAIN.inc(assessment.billed_calls)
            return
        began = self.clock.wall()
        await self.sink.publish(self.outcomes.verdict(verdict))
        metrics.VERDICTS.labels(verdict.decision.value, verdict.decided_by).inc()
        metrics.SECONDS_TO_VERDICT.observe(self.clock.wall() - submission.delivery.received)
        self.journal.note(submission.delivery.place, submission.delivery.offset, submission.id, began)
        log.debug("verdict.published", submission=submission.id, decision=verdict.decision.value)

    async def _bury(self, delivery: Delivery, reason: Undecodable, turn: Turn) -> None:
        name = self.outcomes.dead_letter_id(delivery)
        await self._may_publish(turn)
        if self._is_published(delivery, name):
            return
        began = self.clock.wall()
        await self.sink.publish(self.outcomes.dead_letter(delivery, reason, began))
        self.journal.note(delivery.place, delivery.offset, name, began)
        metrics.MESSAGES.labels("dead_letter", reason.reason).inc()
        log.warning(
            "message.dead_lettered", topic=delivery.topic, partition=delivery.partition, offset=delivery.offset,
            reason=reason.reason, detail=reason.detail,
        )  # fmt: skip

    async def _may_publish(self, turn: Turn) -> None:
        """Wait for Kafka, the key and the partition, in this order: what waits for Kafka may lose its partition."""
        await self.sink.room()
        await turn.wait()

    def _is_published(self, delivery: Delivery, outcome: SourceId) -> bool:
        if not self.journal.holds(delivery, outcome):
            return False
        metrics.JOURNAL_SAVED.inc()
        return True

    def _count_unforeseen(self, submission: Submission, error: Exception) -> None:
        metrics.UNFORESEEN.inc()
        self.unforeseen += 1
        log.error("submission.met_a_bug", submission=submission.id, exc_info=error)
        if self.unforeseen >= UNFORESEEN_IN_A_ROW:
            raise Broken(f"{self.unforeseen} images in a row met a bug; the last: {type(error).__name__}") from error
