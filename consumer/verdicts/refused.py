"""
Outcomes that their topics refuse: held, named, and sent again from time to time.

Each holds its own partition, whose offset is not committed past it, and nothing else: it is not in flight, it is not
looked up, a rebalance does not wait for it, and a stop drops it. Once the topic accepts it, it goes on by itself.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import structlog

from consumer.clock import Clock
from consumer.errors import OutcomeRefused
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.records import Delivery
from consumer.verdicts.outcomes import Outcome

log = structlog.get_logger()

RETRY_DELAY = 10.0  # seconds
REMINDER = 300.0  # seconds between two log lines about one outcome
MOST_HELD = 100  # outcomes from which on no new calls are made: the topic refuses, not single records
MOST_NAMED = 5  # of them in readiness

REMEDIES = {
    "MESSAGE_TOO_LARGE": "raise its max.message.bytes",
    "RECORD_LIST_TOO_LARGE": "raise its max.message.bytes or segment.bytes",
    "TOPIC_AUTHORIZATION_FAILED": "give this user Write on it",
    "INVALID_TIMESTAMP": "see its message.timestamp.*.max.ms, and the clocks of this machine and of the brokers",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT": "see its message format: headers need version 2",
    "POLICY_VIOLATION": "see the policy of the brokers",
    "INVALID_RECORD": "set its cleanup.policy to delete, never compact",
}


@dataclass(slots=True, eq=False)
class Held:
    """An outcome that was refused, and when first (by the clock's `now`)."""

    topic: str
    delivery: Delivery
    word: str
    since: float
    said_at: float


@dataclass(slots=True)
class RefusedOutcomes:
    """Holds what is refused until it may be tried again."""

    clock: Clock
    waiting: Callable[[], AbstractContextManager[None]]
    """Counts the current task as one that a stop cancels: it has nothing in flight."""
    _held: dict[str, Held] = field(default_factory=dict)  # by outcome id

    async def wait(self, outcome: Outcome, delivery: Delivery, refused: OutcomeRefused) -> Outcome:
        """Return the outcome that is to be sent next: a smaller one at once, else the same after a while."""
        if refused.too_large and outcome.smaller is not None:
            return replace(outcome, record=outcome.smaller(), smaller=None)
        self._note(outcome, delivery, refused)
        with self.waiting():
            await self.clock.sleep(RETRY_DELAY)
        return outcome

    def forget(self, outcome: Outcome) -> None:
        """Note that an outcome is taken, or another replica's."""
        if self._held.pop(outcome.id, None):
            metrics.OUTCOMES_REFUSED.set(len(self._held))

    def takes_more(self) -> bool:
        """Whether so few are refused that the others may be paid for."""
        return len(self._held) < MOST_HELD

    def reasons_not_ready(self) -> list[str]:
        """Say so when so many are refused that no new calls are made."""
        if self.takes_more():
            return []
        topics = ", ".join(sorted({each.topic for each in self._held.values()}))
        words = ", ".join(sorted({each.word for each in self._held.values()}))
        return [f"kafka: {len(self._held)} outcomes are refused by {topics}: {words}; no new calls are made"]

    def degraded(self) -> list[str]:
        """Name the oldest that are held, and what to do."""
        now = self.clock.now()
        return [
            f"kafka: {each.topic} refuses the outcome of {each.delivery.topic}/{each.delivery.partition} at offset "
            f"{each.delivery.offset} for {now - each.since:.0f} s: {each.word}: {REMEDIES[each.word]}"
            for each in list(self._held.values())[:MOST_NAMED]
        ]

    def _note(self, outcome: Outcome, delivery: Delivery, refused: OutcomeRefused) -> None:
        now = self.clock.now()
        held = self._held.get(outcome.id)
        if held is None:
            held = self._held[outcome.id] = Held(outcome.topic, delivery, refused.word, now, now)
            metrics.OUTCOMES_REFUSED.set(len(self._held))
        elif now - held.said_at < REMINDER and held.word == refused.word:
            return
        held.word, held.said_at = refused.word, now
        with harmless("log"):
            log.error(
                "outcome.refused", topic=outcome.topic, outcome=outcome.id, reason=refused.word,
                source_topic=delivery.topic, partition=delivery.partition, offset=delivery.offset,
                remedy=REMEDIES[refused.word],
            )  # fmt: skip
