"""
The life of one message. Read this file first.

    decode → (one submission an image) → assess → decide → publish → settle

`service.py` carries many at once and settles them; each stage has an interface of its own. What meets an
unexpected error is held, tried again and at last sent to review or to the dead letters: it never ends the service.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog

from consumer.clock import Clock
from consumer.errors import Lost, Undecodable, results_of
from consumer.holding import Holding
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of
from consumer.records import (
    Assessment,
    Decision,
    Decoded,
    Delivery,
    Failure,
    Ignored,
    Submission,
    Verdict,
)
from consumer.verdicts.bounds import text
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.publisher import Publisher, PublishTurn

log = structlog.get_logger()


class Decisions(NamedTuple):
    """How verdicts are reached. Moments are unix seconds."""

    decide: Callable[[Submission, Assessment, float], Verdict]
    """The verdict that an assessment asks for."""
    fall_back: Callable[[Submission, Assessment, Decision | None, float], Verdict]
    """The verdict on an image that met an error, after a decision was reached or before that."""


@dataclass(slots=True, kw_only=True)
class Pipeline:
    """Carries a message from its bytes to durable outcomes."""

    decode: Callable[[Delivery], Decoded]
    assess: Callable[[Submission], Awaitable[Assessment]]
    decisions: Decisions
    outcomes: Outcomes
    holding: Holding
    publisher: Publisher
    clock: Clock

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        """
        Return once all that the message asks for is durable; its offset may then be committed.

        Whatever escapes leaves the message open: it will be read again. `Lost`: by another replica.
        """
        self.holding.tried()
        decoded = await self._read(delivery)
        turn.narrow(_tenants(decoded))
        if isinstance(decoded, Undecodable):
            await self._dead_letter(delivery, decoded, turn)
            return
        if isinstance(decoded, Ignored):
            metrics.MESSAGES.labels("ignored", decoded.reason).inc()
            return
        metrics.MESSAGES.labels("submitted", "").inc()
        if len(decoded) == 1:
            await self.process(decoded[0], turn)
            return
        # Not a TaskGroup: one image's failure must not cancel calls that are being paid for.
        results_of(await asyncio.gather(*(self.process(each, turn) for each in decoded), return_exceptions=True))

    async def process(self, submission: Submission, turn: PublishTurn) -> None:
        """Return once the verdict is durable. An image that cannot be judged goes to review."""
        if self.publisher.is_published(submission.delivery, submission.id):
            return
        try:
            verdict, outcome = await self._judged(submission)
        finally:
            self.holding.forget(submission.id)
        try:
            published = await self.publisher.publish(submission.id, lambda _: outcome, submission.delivery, turn)
        except Lost:
            metrics.PAID_IN_VAIN.inc(verdict.assessment.billed_calls)
            raise
        if not published:
            metrics.PAID_IN_VAIN.inc(verdict.assessment.billed_calls)
            return
        metrics.VERDICTS.labels(verdict.decision.value, verdict.decided_by).inc()
        if trial := verdict.trial:
            for rule in trial.rules:
                metrics.SHADOW_DISAGREEMENTS.labels(rule, trial.decision.value, verdict.of_policy.value).inc()
        if (candidate := verdict.candidate) and candidate.decision is not verdict.of_policy:
            metrics.SHADOW_DISAGREEMENTS.labels("", candidate.decision.value, verdict.of_policy.value).inc()
        metrics.SECONDS_TO_VERDICT.observe(self.clock.wall() - submission.delivery.received)
        with harmless("log"):
            log.debug("verdict.published", submission=submission.id, decision=verdict.decision.value)

    async def _read(self, delivery: Delivery) -> Decoded | Undecodable:
        """Decode a message, or return why it cannot be."""
        try:
            return await self._decoded(delivery)
        except Undecodable as error:
            # Not the error itself: its frames hold the parsed message, 20 times its bytes, while the dead letter waits.
            return Undecodable(error.reason, error.detail)

    async def _decoded(self, delivery: Delivery) -> Decoded:
        """Decode a message; one that meets an unexpected error is held, and `Undecodable` once that is its own."""
        name = self.outcomes.dead_letter_id(delivery)
        try:
            while True:
                try:
                    return self.decode(delivery)
                except Undecodable:
                    raise
                except Exception as error:
                    if await self.holding.is_own(name, delivery, error):
                        raise Undecodable("internal", f"value: met an unexpected {type(error).__name__}") from error
        finally:
            self.holding.forget(name)

    async def _judged(self, submission: Submission) -> tuple[Verdict, Outcome]:
        """
        Assess, decide and encode. After an unexpected error all that is left to do is done again, once it may be, and
        nothing that was paid for is asked twice. `Lost` escapes.
        """
        assessment: Assessment | None = None
        while True:
            verdict: Verdict | None = None
            try:
                if assessment is None:
                    assessment = await self.assess(submission)
                verdict = self.decisions.decide(submission, assessment, self.clock.wall())
                outcome = self.outcomes.verdict(verdict)
            except Lost:
                raise
            except Exception as error:  # noqa: BLE001 — the one place where a bug is caught
                try:
                    is_own = await self.holding.is_own(submission.id, submission.delivery, error)
                except Lost:
                    metrics.PAID_IN_VAIN.inc(assessment.billed_calls if assessment else 0)
                    raise
                if is_own and (ending := self._fallen_back(submission, assessment, verdict, error)):
                    return ending
            else:
                self.holding.judged(submission.id)
                return verdict, outcome

    def _fallen_back(
        self, submission: Submission, assessment: Assessment | None, verdict: Verdict | None, error: Exception
    ) -> tuple[Verdict, Outcome] | None:
        """
        End an image with class `internal`: in the whole verdict where only asking failed, else in a minimal one. None
        where even that cannot be written.
        """
        now, code = self.clock.wall(), type(error).__name__[:64]
        if assessment is None:
            failed = Assessment(failure=Failure(kind="internal", code=code))
            with contextlib.suppress(Exception):
                undecided = self.decisions.decide(submission, failed, now)
                return undecided, self.outcomes.verdict(undecided)
        else:
            failure = Failure(kind="internal", code=code, attempts=0)  # the attempts are the other failures'
            failed = replace(assessment, failure=failure, later_failures=assessment.failures)
        with contextlib.suppress(Exception):
            fallback = self.decisions.fall_back(submission, failed, verdict.decision if verdict else None, now)
            return fallback, self.outcomes.minimal_verdict(fallback)
        return None

    async def _dead_letter(self, delivery: Delivery, reason: Undecodable, turn: PublishTurn) -> None:
        name = self.outcomes.dead_letter_id(delivery)

        def wrapped(now: float) -> Outcome:
            return self._wrapped(delivery, reason, now)

        if not await self.publisher.publish(name, wrapped, delivery, turn):
            return
        metrics.MESSAGES.labels("dead_letter", reason.reason).inc()
        with harmless("log"):
            log.warning(
                "message.dead_lettered", topic=delivery.topic, partition=delivery.partition, offset=delivery.offset,
                reason=reason.reason, detail=text(reason.detail, 256),
            )  # fmt: skip

    def _wrapped(self, delivery: Delivery, reason: Undecodable, now: float) -> Outcome:
        """Wrap a message that cannot be read: what cannot be written whole is written in part."""
        try:
            return self.outcomes.dead_letter(delivery, reason, now)
        except Exception as error:  # noqa: BLE001 — it may be anything that the message holds
            metrics.UNFORESEEN.inc()
            with harmless("log"):
                log.error(  # noqa: TRY400 — the exception's text may hold the message's
                    "message.unexpected_error", topic=delivery.topic, partition=delivery.partition,
                    offset=delivery.offset, error=type(error).__name__, frames=frames_of(error),
                )  # fmt: skip
            return self.outcomes.cut_dead_letter(delivery, reason, now)


def _tenants(decoded: Decoded | Undecodable) -> set[str | None]:
    """Whose a message is; nobody's, where it is a dead letter: those of a key stand among themselves."""
    return {None} if isinstance(decoded, Undecodable | Ignored) else {each.tenant for each in decoded}
