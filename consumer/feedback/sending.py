"""
Tells the provider what reviewers agree on, paced, and writes into the ledger what it was told.

    due ──► said in its turn ──► answered ──► `sent` in the ledger
                │                   ├─ refused for good ──► `not_sent` in the ledger
                └───────────────────┴─ not now ──► waits, and is due again

What reviewers agree on comes from the ledger alone, so a process that is killed between a call and its line makes that
call again: at most `AT_ONCE` of them.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from consumer.clock import Clock
from consumer.errors import AccountRefused, CallFailed, Unavailable, Unreachable, results_of
from consumer.feedback import REFUSED, About, Feedback, Line, NotSent
from consumer.feedback.quorum import Agreed
from consumer.feedback.told import Telling
from consumer.observability import metrics
from consumer.verdicts.bounds import rfc3339

log = structlog.get_logger()

AT_ONCE: Final = 8
"""Calls in flight: what a kill repeats at most."""
FIRST_WAIT: Final = 1.0
MOST_WAIT: Final = 60.0
"""Seconds between two attempts while the provider does not answer."""
FETCH_ATTEMPTS: Final = 3
"""At an image that the provider cannot fetch, in a process."""


class Provider(Protocol):
    """Whom it is told."""

    async def tell(self, suggestion: str, scenes: Sequence[str], url: str) -> str | None:
        """Say it once; returns the id of the request. Every failure is a `CallFailed`."""
        ...


class Ledger(Protocol):
    """Where it is written down."""

    async def write(self, line: Line) -> None:
        """Write a line; return once it is durable."""
        ...


@dataclass(slots=True)
class Pace:
    """When the next call may leave: evenly, and never two at once. Seconds of any one clock."""

    per_second: float
    _next: float = 0.0

    def next(self, now: float) -> float:
        """Note one more call, and return the seconds that it has to wait."""
        at = max(now, self._next)
        self._next = at + 1 / self.per_second
        return at - now


@dataclass(slots=True, kw_only=True)
class Sending:
    """Sends what is due. With `dry_run` it says what it would send: nothing is called, and nothing written."""

    telling: Telling
    provider: Provider
    ledger: Ledger
    clock: Clock
    pace: Pace
    dry_run: bool = False
    _wait: float = 0.0  # seconds until anything is tried again; 0 while the provider answers
    _not_before: float = 0.0
    _attempts: dict[About, int] = field(default_factory=dict)
    _settled: dict[About, Agreed] = field(default_factory=dict)  # said or shown by this process, and not sent

    async def send(self, due: Iterable[tuple[Agreed, str]]) -> list[Line]:
        """
        Send some of what is due, each with the reason that the ledger has for not sending it so far; return what was
        written. What is left is due again.
        """
        if self.clock.now() < self._not_before:
            return []
        written: list[Line] = []
        ready: list[Feedback] = []
        for agreed, noted in due:
            if len(ready) == AT_ONCE:
                break
            if self._settled.get(agreed.about) == agreed:
                continue
            told = self.telling.of(agreed)
            if not isinstance(told, str):
                ready.append(told)
                if not self.dry_run:
                    continue
            else:
                written += await self._note(agreed, told, noted)
            self._settled[agreed.about] = agreed
        if self.dry_run:
            self._show(ready)
            return []
        # All end before an error is raised: none may be sent again while it is still under way.
        sent = results_of(await asyncio.gather(*map(self._send, ready), return_exceptions=True))
        return written + [each for each in sent if each is not None]

    async def _note(self, agreed: Agreed, reason: str, noted: str) -> list[Line]:
        if reason == noted:
            return []
        metrics.FEEDBACK.labels(reason).inc()
        log.warning("feedback.not_sent", reason=reason, **_named(agreed.about))
        if self.dry_run:
            return []
        line = NotSent(
            about=agreed.about,
            tenant=agreed.votes[0].tenant,
            suggestion=agreed.suggestion,
            reason=reason,
            noted_at=rfc3339(self.clock.wall()),
        )
        await self.ledger.write(line)
        return [line]

    def _show(self, ready: Iterable[Feedback]) -> None:
        for each in ready:
            metrics.FEEDBACK.labels("dry_run").inc()
            log.info("feedback.would_send", suggestion=each.suggestion, scenes=each.scenes, **_named(each.about))

    async def _send(self, told: Feedback) -> Line | None:
        await self.clock.sleep(self.pace.next(self.clock.now()))
        try:
            request_id = await self.provider.tell(told.suggestion, told.scenes, told.url)
        except CallFailed as error:
            return await self._failed(told, error)
        self._wait = 0.0
        line = told.sent(rfc3339(self.clock.wall()), request_id)
        await self.ledger.write(line)
        self._attempts.pop(told.about, None)
        metrics.FEEDBACK.labels("sent").inc()
        log.info("feedback.sent", suggestion=told.suggestion, scenes=told.scenes, **_named(told.about))
        return line

    async def _failed(self, told: Feedback, error: CallFailed) -> Line | None:
        metrics.FEEDBACK.labels("failed").inc()
        if self._may_be_tried_again(told, error):
            self._back_off(error)
            return None
        self._attempts.pop(told.about, None)
        metrics.FEEDBACK.labels(REFUSED).inc()
        log.warning("feedback.refused", code=error.code, **_named(told.about))
        line = NotSent(
            about=told.about,
            tenant=told.tenant,
            suggestion=told.suggestion,
            reason=REFUSED,
            code=error.code,
            noted_at=rfc3339(self.clock.wall()),
        )
        await self.ledger.write(line)
        return line

    def _may_be_tried_again(self, told: Feedback, error: CallFailed) -> bool:
        if isinstance(error, Unreachable):
            self._attempts[told.about] = self._attempts.get(told.about, 0) + 1
            return self._attempts[told.about] < FETCH_ATTEMPTS
        return isinstance(error, Unavailable)

    def _back_off(self, error: CallFailed) -> None:
        now = self.clock.now()
        if now >= self._not_before:  # once for all that failed together
            self._wait = min(MOST_WAIT, max(FIRST_WAIT, self._wait * 2))
            said = "the account may not: see the key and its rights" if isinstance(error, AccountRefused) else "later"
            log.warning("feedback.waits", kind=error.kind, code=error.code, seconds=self._wait, again=said)
        self._not_before = max(self._not_before, now + max(self._wait, error.retry_after))


def _named(about: About) -> dict[str, object]:
    return {"topic": about.topic, "partition": about.partition, "offset": about.offset, "image": about.image}
