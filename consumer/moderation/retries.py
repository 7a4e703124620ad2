"""
Ask again, or give up: the decision is a function, the layer acts on it.

Whose fault is a failure of the provider or of the account? It is the image's own once enough *other* images have been
answered, by the same service in the same region, whose calls departed after its own first one: then it goes to review
when its attempts are used up. Until then it is the provider's, and the image waits, for as long as it takes. So one
image that is never answered holds up no other, and an outage ends nothing.

While a request waits to be asked again it holds no slot, and when its time comes it is paced like any other.
"""

import contextlib
import random
from dataclasses import dataclass

import structlog

from consumer.clock import Clock
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import (
    CallFailed,
    Expired,
    NonceUsed,
    NotFetchable,
    StoreBusy,
    Throttled,
    Unavailable,
    Unjudgeable,
    Unreachable,
)
from consumer.images.presigned import expiry
from consumer.locations import fetched_from
from consumer.moderation import CallContext, ModerationRequest, Moderator
from consumer.observability import metrics
from consumer.records import ModerationResult

log = structlog.get_logger()

BUSY_ATTEMPTS = 100
"""
Times that a store asks to come later for one image, while it gives others, until that is the image's own: MinIO says it
of an object that it has lost parts of.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often."""

    first_delay: float  # seconds
    max_delay: float  # seconds
    fetch_attempts: int
    attempts: int
    others_answered: int


def delay_before_retry(
    failure: CallFailed,
    attempt: int,
    policy: RetryPolicy,
    dice: float,
    *,
    others_answered: int = 0,
    unreachable: int | None = None,
    throttled: int = 0,
) -> float | None:
    """
    Seconds until a request that failed on its `attempt`th call (from 1) is asked again, or None to give up.

    The backoff doubles up to `max_delay` and is fully jittered: `dice`, from 0 to 1, says how much of it is waited.
    What the provider asks for is waited at least. `others_answered` images were answered since this one's first call.
    So often, if not each time, the image was `unreachable`; so often it was `throttled`, which is no attempt at it.
    """
    unreachable = attempt if unreachable is None else unreachable
    if _is_hopeless(failure, attempt, policy, others_answered, unreachable, throttled):
        return None
    if isinstance(failure, NonceUsed):
        return 0.0
    backoff = min(policy.max_delay, policy.first_delay * 2.0 ** min(attempt - 1, 32))
    return failure.retry_after + backoff * dice


def _is_hopeless(
    failure: CallFailed, attempt: int, policy: RetryPolicy, others_answered: int, unreachable: int, throttled: int
) -> bool:
    match failure:
        case Unjudgeable():
            return True
        case Throttled():
            return False
        case StoreBusy():
            return throttled >= BUSY_ATTEMPTS and others_answered >= policy.others_answered
        case Unavailable():
            return attempt - throttled >= policy.attempts and others_answered >= policy.others_answered
        case _:
            return unreachable >= policy.fetch_attempts


class Retrying:
    """A `Moderator` that asks until there is an answer or no hope of one."""

    def __init__(
        self,
        inner: Moderator,
        policy: RetryPolicy,
        clock: Clock,
        waits: InterruptibleWaits,
        dice: random.Random | None = None,
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._clock = clock
        self._waits = waits
        self._dice = dice or random.Random()  # noqa: S311 — spreads retries, guards nothing

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        while True:
            try:
                answer = await self._ask(request, call)
            except CallFailed as error:
                count_failure(error)
                call.unreachable += isinstance(error, Unreachable)
                call.throttled += isinstance(error, Throttled | StoreBusy)
                delay = delay_before_retry(
                    error, call.attempt, self._policy, self._dice.random(),
                    others_answered=call.others_answered, unreachable=call.unreachable,
                    throttled=call.throttled,
                )  # fmt: skip
                if delay is None:
                    raise
                log.warning(
                    "call.failed", submission=request.submission, service=request.service, region=call.region,
                    kind=error.kind, code=error.code, attempt=call.attempt, retry_in=round(delay, 3),
                    topic=call.partition.topic, partition=call.partition.number, offset=call.offset,
                    **({"detail": error.detail} if error.detail else {}),
                    **({"request_id": error.request_id} if error.request_id else {}),
                )  # fmt: skip
                with self._waits.interruptible() if isinstance(error, Unavailable) else contextlib.nullcontext():
                    await self._clock.sleep(delay)
                call.attempt += 1
            else:
                metrics.CALLS_BILLED.inc(answer.billed)
                return answer._replace(attempts=call.attempt) if call.attempt > 1 else answer

    async def _ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        """Say so when an image could not be fetched because its URL has expired: no further attempt can succeed."""
        try:
            return await self._inner.ask(request, call)
        except (Unreachable, NotFetchable) as error:
            if not self._is_expired(request):
                raise
            raise error.sorted_as(Expired, "expired") from error.__cause__

    def _is_expired(self, request: ModerationRequest) -> bool:
        expires = None if (url := fetched_from(request.location)) is None else expiry(url)
        return expires is not None and self._clock.wall() >= expires


def count_failure(failure: CallFailed) -> None:
    """Count a call that was not answered, and what it may have cost."""
    metrics.CALL_FAILURES.labels(failure.kind).inc()
    if failure.billed == "yes":
        metrics.CALLS_BILLED.inc(failure.units)
    elif failure.billed == "maybe":
        metrics.CALLS_MAYBE_BILLED.inc(failure.units)
