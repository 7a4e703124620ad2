"""
Ask again, or give up: the decision is a function, the layer acts on it.

While a question waits to be asked again it holds no slot, and when its time comes it is paced like any other.
"""

import random
from dataclasses import dataclass, replace

import structlog

from consumer.clock import Clock
from consumer.errors import CallFailed, Unavailable, Unjudgeable
from consumer.moderation import Moderator, Question
from consumer.observability import metrics
from consumer.records import Answer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often."""

    first_delay: float  # seconds
    max_delay: float  # seconds
    fetch_attempts: int


def delay_before_retry(failure: CallFailed, attempt: int, policy: RetryPolicy, dice: float) -> float | None:
    """
    Seconds until a question that failed on its `attempt`th call (from 1) is asked again, or None to give up.

    The backoff doubles up to `max_delay` and is fully jittered: `dice`, from 0 to 1, says how much of it is waited.
    What the provider asks for is waited at least.
    """
    if isinstance(failure, Unjudgeable):
        return None
    if not isinstance(failure, Unavailable) and attempt >= policy.fetch_attempts:
        return None
    backoff = min(policy.max_delay, policy.first_delay * 2.0 ** min(attempt - 1, 32))
    return failure.retry_after + backoff * dice


class Retrying:
    """A `Moderator` that asks until there is an answer or no hope of one."""

    def __init__(self, inner: Moderator, policy: RetryPolicy, clock: Clock, dice: random.Random | None = None) -> None:
        self._inner = inner
        self._policy = policy
        self._clock = clock
        self._dice = dice or random.Random()  # noqa: S311 — spreads retries, guards nothing

    async def ask(self, question: Question) -> Answer:
        attempt = 1
        while True:
            try:
                answer = await self._inner.ask(question)
            except CallFailed as failure:
                metrics.CALL_FAILURES.labels(failure.kind).inc()
                if failure.billed != "no":
                    (metrics.CALLS_BILLED if failure.billed == "yes" else metrics.CALLS_MAYBE_BILLED).inc()
                delay = delay_before_retry(failure, attempt, self._policy, self._dice.random())
                if delay is None:
                    failure.attempts = attempt
                    raise
                log.warning(
                    "call.failed", data_id=question.data_id, kind=failure.kind, code=failure.code,
                    attempt=attempt, retry_in=round(delay, 3),
                )  # fmt: skip
                await self._clock.sleep(delay)
                attempt += 1
            else:
                metrics.CALLS_BILLED.inc()
                return replace(answer, attempts=attempt) if attempt > 1 else answer
