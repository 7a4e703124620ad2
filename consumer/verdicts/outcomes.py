"""
What a message ends as: records to produce, each with its id and topic. Values in, values out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from consumer.config import OutputTopics
from consumer.errors import Undecodable
from consumer.records import Delivery, SourceId, Verdict, source_id
from consumer.verdicts.encode import Encoded, Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A verdict or a dead letter as it is written."""

    id: SourceId
    topic: str
    record: Encoded
    smaller: Callable[[], Encoded] | None = None
    """Makes what is written instead where the topic, or the producer, finds `record` too large."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Words of closed sets that spans tell: decision and decided_by, or dead_letter_reason."""


class Outcomes:
    """Encodes outcomes for the topics of one group."""

    def __init__(self, encoding: Encoding, topics: OutputTopics) -> None:
        self._encoding = encoding
        self._topics = topics

    def verdict(self, verdict: Verdict) -> Outcome:
        """Encode a verdict for the topic of its decision."""
        return Outcome(
            id=verdict.submission.id,
            topic=self._topics.by_decision[verdict.decision],
            record=self._encoding.verdict(verdict),
            about={"decision": verdict.decision.value, "decided_by": verdict.decided_by},
        )

    def dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Outcome:
        """Wrap a message that cannot be read. `now` is unix seconds."""
        return Outcome(
            id=self.dead_letter_id(delivery),
            topic=self._topics.dead_letter,
            record=self._encoding.dead_letter(delivery, reason, now),
            about={"dead_letter_reason": reason.reason},
        )

    def dead_letter_id(self, delivery: Delivery) -> SourceId:
        """Name the dead letter that a message would be."""
        return source_id(self._encoding.group, delivery)
