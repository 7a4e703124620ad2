"""
The life of one record of `moderation-consumer feedback`: a person's decision, or a verdict that may contradict one.

It is carried by the machinery that carries uploads (`service.py`): read, in the order of its key, settled once its
outcome is durable. A decision is remembered before its verdict is published, so that a crash in between repeats what
is remembered, which changes nothing, and loses nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from consumer.config.reviews import ReviewSettings
from consumer.errors import ConsumerError, Undecodable
from consumer.holding import Holding
from consumer.intake.decode.reasons import Rejection
from consumer.journal.verdict_records import Believing, Met, met
from consumer.observability import review_metrics
from consumer.records import Delivery, source_id
from consumer.reviews import judging, memory, writing
from consumer.reviews.decided import Decided, Told
from consumer.reviews.floors import Floors
from consumer.reviews.memory import Memory, Remembered
from consumer.reviews.published import is_verdict
from consumer.reviews.refusals import Refusal
from consumer.reviews.review import Review, VerdictAt, read_review
from consumer.verdicts.bounds import text
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.publisher import Publisher, PublishTurn

log = structlog.get_logger()

Record = Callable[[VerdictAt], Awaitable[Any | None]]


class UnknownVerdict(Exception):
    """A verdict of this service's that this release cannot read: its record stays open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Which verdicts are this service's, where they stand, and where they go."""

    believing: Sequence[tuple[str, Believing]]  # by group: the service's, and the one that takes people's decisions
    group: str  # the latter
    by_decision: Mapping[str, str]
    record: Record  # fetches what stands at a place

    def read(self, record: Any) -> tuple[Met, Mapping[str, Any]] | None:
        """
        The verdict in a record; None where it is none of ours, or not believed.

        Raises:
            UnknownVerdict: this service's keys vouch for it, and this release cannot read it.
        """
        for group, believing in self.believing:
            found = met(record, group)
            if found is None or found.kind == "other":
                continue
            if not believing.believes(found):
                review_metrics.REVIEWS_NOT_BELIEVED.labels(found.topic).inc()
                return None
            return self._verdict_in(found, is_signed=believing.has_keys)
        return None

    def _verdict_in(self, found: Met, *, is_signed: bool) -> tuple[Met, Mapping[str, Any]] | None:
        try:
            verdict = orjson.loads(found.value)
        except orjson.JSONDecodeError:
            verdict = None
        if is_verdict(verdict):
            return found, verdict
        if is_signed:  # by another release of this service, whose verdict may be a pass
            raise UnknownVerdict
        review_metrics.REVIEWS_NOT_BELIEVED.labels(found.topic).inc()
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembering:
    """What is remembered of people's decisions."""

    memory: Memory
    floors: Floors
    write: Callable[[bytes, bytes], Awaitable[None]]  # a key and value, durably
    taken: Callable[[float], Awaitable[None]]  # see `Following`


@dataclass(slots=True, kw_only=True)
class Carrying:
    """Carries decisions and verdicts to their ends."""

    settings: ReviewSettings
    published: Published
    people: Remembering
    outcomes: Outcomes
    holding: Holding
    publisher: Publisher
    told: Sequence[Told] = ()
    _superseded: judging.Superseded = field(default_factory=judging.Superseded)

    async def carry(self, delivery: Delivery, turn: PublishTurn) -> None:
        """
        Return once all that a record asks for is durable; its offset may then be committed.

        A decision that meets a bug of its own is a dead letter; a verdict stays open for as long as it meets one.
        Whatever escapes leaves a record open: it will be read again. `Lost`: by another replica.
        """
        name = source_id(self.published.group, delivery)
        self.holding.tried()
        try:
            while True:
                try:
                    if delivery.topic == self.settings.topic:
                        await self._decision(delivery, turn)
                    else:
                        await self._verdict(delivery, turn)
                except ConsumerError:
                    raise
                except Exception as error:  # noqa: BLE001 — the one place where a bug is caught
                    # A verdict that is compared with nothing may be a pass that stands against a removal: it is held.
                    ends = delivery.topic == self.settings.topic
                    if await self.holding.is_own(name, delivery, error, may_end=ends):
                        bug = Rejection.INTERNAL.at("value", f"met an unexpected {type(error).__name__}")
                        await self._dead_letter(delivery, bug, turn)
                        return
                else:
                    self.holding.judged(name)
                    return
        finally:
            self.holding.forget(name)

    async def _decision(self, delivery: Delivery, turn: PublishTurn) -> None:
        try:
            review = _review(delivery)
            record, verdict = await self._looked_up(review)
            await turn.wait()  # what was decided before about the same is remembered
            await self._decide(delivery, turn, review, record, verdict)
        except Undecodable as refused:
            await self._dead_letter(delivery, Undecodable(refused.reason, refused.detail), turn)

    async def _looked_up(self, review: Review) -> tuple[Met, Mapping[str, Any]]:
        found = await self.published.record(review.at)
        if found is None:
            raise Refusal.UNKNOWN_VERDICT.at("verdict_at", "no verdict stands there")
        read = self.published.read(found)
        if read is None:
            raise Refusal.WRONG_VERDICT.at("verdict_at", "what stands there is no verdict of this service")
        if read[1].get("verdict_id") != review.verdict_id:
            raise Refusal.WRONG_VERDICT.at("verdict_id", "another verdict stands at verdict_at")
        return read

    async def _decide(
        self, delivery: Delivery, turn: PublishTurn, review: Review, record: Met, verdict: Mapping[str, Any]
    ) -> None:
        key, now = memory.content_key(verdict), self.holding.clock.wall()
        final = judging.judge(review, verdict, self.settings.leads, self.people.floors.above(verdict))
        if isinstance(final, judging.Escalated):
            review_metrics.REVIEWS.labels(review.decision, "escalated").inc()
            log.info("review.escalated", verdict=text(review.verdict_id, 64), reviewer=text(review.reviewer, 128))
            await self._tell(review, verdict, delivery)  # it takes back what its reviewer said before
            return
        self._say_conflict(review, delivery, self.people.memory.of(key, now))
        new = judging.remembered(review, final, delivery)
        value = writing.final_value(verdict, self._name(delivery), final.decision, new, review, now)
        await self._remember(key, new, now)
        if self.settings.remove_by_name and (named := memory.name_key(verdict)) is not None:
            await self._remember(named, new, now)
        if await self._publish(delivery, turn, final.decision.value, record, value):
            review_metrics.REVIEWS.labels(review.decision, "final").inc()
        await self._tell(review, verdict, delivery)

    async def _tell(self, review: Review, verdict: Mapping[str, Any], delivery: Delivery) -> None:
        for each in self.told:
            await each.decided(Decided(review=review, verdict=verdict, delivery=delivery))

    async def _remember(self, key: bytes, new: Remembered, now: float) -> None:
        await self.people.write(key, memory.written(self.people.memory.note(key, new, now)))

    def _say_conflict(self, review: Review, delivery: Delivery, known: Remembered | None) -> None:
        if known is not None and known.place == VerdictAt(delivery.topic, delivery.partition, delivery.offset):
            return  # this very decision, read again after a crash
        kind = judging.conflict(review, known, is_superseded=review.verdict_id in self._superseded)
        if kind == "none":
            return
        review_metrics.REVIEW_CONFLICTS.labels(kind).inc()
        log.info(
            "review.conflict", kind=kind, decision=review.decision, verdict=text(review.verdict_id, 64),
            topic=delivery.topic, partition=delivery.partition, offset=delivery.offset,
        )  # fmt: skip

    async def _verdict(self, delivery: Delivery, turn: PublishTurn) -> None:
        """Publish a person's decision again where a machine's verdict contradicts it."""
        record = _AsRead(delivery)
        if delivery.unreadable is not None or (read := self.published.read(record)) is None:
            return
        found, verdict = read
        self._superseded.note(verdict)
        await self._note_floor(verdict)
        if verdict.get("decided_by") == judging.HUMAN:
            return
        with self.holding.waits.interruptible():
            await self.people.taken(delivery.received)
        now = self.holding.clock.wall()
        holds = judging.contradicted(verdict, delivery.timestamp, *self._holding_for(verdict, now))
        if holds is None:
            return
        value = writing.final_value(verdict, self._name(delivery), holds.decision, holds, None, now)
        if await self._publish(delivery, turn, holds.decision.value, found, value):
            review_metrics.REVIEWS_RESTATED.labels(holds.decision.value).inc()

    async def _note_floor(self, verdict: Mapping[str, Any]) -> None:
        """Remember the floor that a verdict sets which took another's place."""
        if (line := self.people.floors.line(verdict)) is not None:
            await self.people.write(*line)
            self.people.floors.read(line[1])

    def _holding_for(self, verdict: Mapping[str, Any], now: float) -> tuple[Remembered | None, Remembered | None]:
        named = memory.name_key(verdict) if self.settings.remove_by_name else None
        of_name = self.people.memory.of(named, now) if named is not None else None
        return self.people.memory.of(memory.content_key(verdict), now), of_name

    async def _publish(self, delivery: Delivery, turn: PublishTurn, decision: str, old: Met, value: bytes) -> bool:
        group, topic = self.published.group, self.published.by_decision[decision]

        def outcome(_: float) -> Outcome:
            return writing.final_outcome(group, topic, delivery, old.key, value, old.headers)

        return await self.publisher.publish(self._name(delivery), outcome, delivery, turn)

    def _name(self, delivery: Delivery) -> Any:
        return source_id(self.published.group, delivery)

    async def _dead_letter(self, delivery: Delivery, reason: Undecodable, turn: PublishTurn) -> None:
        def wrapped(now: float) -> Outcome:
            return self.outcomes.dead_letter(delivery, reason, now)

        if await self.publisher.publish(self.outcomes.dead_letter_id(delivery), wrapped, delivery, turn):
            review_metrics.REVIEWS.labels("", "dead_letter").inc()
            log.warning(
                "review.dead_lettered", topic=delivery.topic, partition=delivery.partition, offset=delivery.offset,
                reason=reason.reason, detail=text(reason.detail, 256),
            )  # fmt: skip


def _review(delivery: Delivery) -> Review:
    if delivery.unreadable is not None:
        raise Undecodable(delivery.unreadable.reason, delivery.unreadable.detail)
    return read_review(delivery.value)


@dataclass(frozen=True, slots=True)
class _AsRead:
    """A delivery as `met` reads records."""

    delivery: Delivery

    @property
    def topic(self) -> str:
        return self.delivery.topic

    @property
    def partition(self) -> int:
        return self.delivery.partition

    @property
    def offset(self) -> int:
        return self.delivery.offset

    @property
    def key(self) -> bytes | None:
        return self.delivery.key

    @property
    def value(self) -> bytes | None:
        return self.delivery.value

    @property
    def headers(self) -> Any:
        return self.delivery.headers
