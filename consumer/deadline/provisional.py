"""
Publish a provisional verdict about every image whose deadline has passed, out of the order of its key.

It is no outcome: nothing settles by it, and the journal knows it only so that it is not published again. An image whose
verdict is on its way gets none, nor one whose partition may be another replica's, nor any while something drains.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

import structlog

from consumer import background
from consumer.clock import Clock
from consumer.deadline.due import Deadlines, Overdue, PerMinute
from consumer.errors import OutcomeRefused
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of
from consumer.records import Decoded, Delivery, Ignored, Submission
from consumer.verdicts.outcomes import Outcome
from consumer.verdicts.provisional import journal_id
from consumer.verdicts.publisher import Publisher

log = structlog.get_logger()

LOOK_INTERVAL = 1.0  # seconds: how late a deadline may be noticed
AT_ONCE = 25  # messages that one look decodes; their images wait for Kafka's acknowledgement together
STOP_DEADLINE = 2.0  # seconds
REMINDER = 60.0  # seconds between two log lines


@dataclass(frozen=True, slots=True)
class Open:
    """The messages that have no outcome."""

    deliveries: Callable[[], Iterable[Delivery]]
    may_tell_of: Callable[[Delivery], bool]
    """Whether something may be published about one of them at this moment."""
    decode: Callable[[Delivery], Decoded]


@dataclass(slots=True, kw_only=True)
class Provisionals:
    """See the module."""

    deadlines: Deadlines
    room: PerMinute
    open: Open
    outcome: Callable[[Submission, float], Outcome]
    """Encodes the provisional verdict about an image at a moment (unix seconds)."""
    publisher: Publisher
    clock: Clock
    _sending: set[asyncio.Task[None]] = field(default_factory=set)
    _published: int = 0  # since the last log line
    _said_at: float = -inf

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look once a second until the context ends; what is on its way to Kafka then is given a moment."""
        try:
            async with background.running(self._look_on(), "deadlines"):
                yield
        finally:
            if self._sending:
                _, late = await asyncio.wait(self._sending, timeout=STOP_DEADLINE)
                for each in late:
                    each.cancel()
                if late:
                    await asyncio.wait(late, timeout=STOP_DEADLINE)

    async def _look_on(self) -> None:
        while True:
            try:
                goes_on = await self.look()
            except Exception as error:  # noqa: BLE001 — what is said besides must not stop the service
                self._note_unforeseen(error)
                goes_on = False
            if not goes_on:
                await self.clock.sleep(LOOK_INTERVAL)

    async def look(self) -> bool:
        """Publish what is due, or a part of it; say whether there is more for which there is room."""
        await self.publisher.sink.wait_for_capacity()
        now, wall = self.clock.now(), self.clock.wall()
        overdue = self.deadlines.overdue(self.open.deliveries(), now, wall, with_held_back=self.room.has_room(now))
        due = [each for each in overdue if self.open.may_tell_of(each.delivery)]
        for each in due[:AT_ONCE]:
            self._tell_of(each, now)
        has_room = self.room.has_room(now)
        if not has_room:
            self._hold_back(due)
        if self._sending:
            await asyncio.wait(self._sending)  # which a stop ends: what is sent is not cancelled with it
        self._say()
        return has_room and len(due) > AT_ONCE

    def _tell_of(self, overdue: Overdue, now: float) -> None:
        """Send a provisional verdict about each image of a message, as far as there is room for them."""
        for submission in self._unanswered(overdue.delivery):
            if not self.room.take(now):
                return
            sending = asyncio.create_task(self._publish(submission, overdue.watched.lane))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        overdue.watched.told = True

    def _unanswered(self, delivery: Delivery) -> Sequence[Submission]:
        """The images of a message of which nothing is published, and nothing on its way."""
        try:
            decoded = self.open.decode(delivery)
        except Exception:  # noqa: BLE001 — the message becomes a dead letter, or is held and said to be
            return ()
        if isinstance(decoded, Ignored):
            return ()
        return [
            each
            for each in decoded
            if not self.publisher.is_leaving(delivery, each.id)
            and not self.publisher.is_leaving(delivery, journal_id(each.id))
        ]

    async def _publish(self, submission: Submission, lane: str) -> None:
        try:
            outcome = self.outcome(submission, self.clock.wall())
            await self.publisher.publish_out_of_turn(outcome, submission.delivery)
        except OutcomeRefused as refused:
            ended = "refused"
            with harmless("log"):
                log.warning("deadline.refused", submission=submission.id, reason=refused.word)
        except Exception as error:  # noqa: BLE001 — the final verdict is still to come
            ended = "failed"
            self._note_unforeseen(error)
        else:
            ended = "published"
            self._published += 1
        metrics.PROVISIONAL_VERDICTS.labels(lane, ended).inc()

    def _hold_back(self, due: Iterable[Overdue]) -> None:
        """Count, once each, those for which there is no room."""
        for _, watched in due:
            if not (watched.told or watched.held_back):
                watched.held_back = True
                metrics.PROVISIONAL_VERDICTS.labels(watched.lane, "held_back").inc()

    def _say(self) -> None:
        now = self.clock.now()
        if self._published and now - self._said_at >= REMINDER:
            with harmless("log"):
                log.warning("deadline.passed", provisional_verdicts=self._published)
            self._said_at, self._published = now, 0

    @staticmethod
    def _note_unforeseen(error: Exception) -> None:
        metrics.UNFORESEEN.inc()
        with harmless("log"):
            log.error("deadline.unexpected_error", error=type(error).__name__, frames=frames_of(error))
