"""
What a message ends as: records to produce, each with its id and topic. Values in, values out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from consumer.config.kafka import OutputTopics
from consumer.errors import Undecodable
from consumer.journal.headers import OF_DEAD_LETTER, Source, SourceHeaders
from consumer.records import Delivery, PolicyName, SourceId, Submission, Verdict, source_id
from consumer.verdicts.bounds import MOST_DEAD_LETTER
from consumer.verdicts.encode import Encoded, Encoding, names_of
from consumer.verdicts.provisional import provisional_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A verdict or a dead letter as it is written."""

    source: Source
    names: SourceHeaders  # of its kind
    topic: str
    record: Encoded
    smaller: Callable[[], Encoded] | None = None
    """Makes what is written instead where the topic, or the producer, finds `record` too large."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Words of closed sets, for spans: decision and decided_by, cause of a provisional one, or dead_letter_reason."""

    @property
    def id(self) -> SourceId:
        """Its name in the journal."""
        return self.names.journal_id(self.source.id)


class Outcomes:
    """Encodes outcomes for the topics of one group."""

    def __init__(self, encoding: Encoding, topics: OutputTopics) -> None:
        self._encoding = encoding
        self._topics = topics

    def verdict(self, verdict: Verdict) -> Outcome:
        """Encode a verdict for the topic of its decision."""
        return self._verdict(verdict, self._encoding.verdict(verdict))

    def minimal_verdict(self, verdict: Verdict) -> Outcome:
        """Encode the least of a verdict: no URL, bounded texts. Nothing escapes, whatever stands in it."""
        return self._verdict(verdict, self._encoding.minimal_verdict(verdict))

    def provisional(self, submission: Submission, policy: PolicyName, now: float) -> Outcome:
        """Encode the provisional verdict about an image, at `now` (unix seconds)."""
        verdict = provisional_verdict(submission, policy, now)
        try:
            return self.verdict(verdict)
        except Exception:  # noqa: BLE001 — as of any verdict: what cannot be written whole is written in part
            return self.minimal_verdict(verdict)

    def dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Outcome:
        """Wrap a message that cannot be read, or its beginning. `now` is unix seconds."""
        cut = partial(self._encoding.cut_dead_letter, delivery, reason, now)
        is_large = delivery.size > MOST_DEAD_LETTER
        return Outcome(
            source=self._source(self._letter_id(delivery), delivery),
            names=OF_DEAD_LETTER,
            topic=self._topics.dead_letter,
            record=cut() if is_large else self._encoding.dead_letter(delivery, reason, now),
            smaller=None if is_large else cut,
            about={"dead_letter_reason": reason.reason},
        )

    def cut_dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Outcome:
        """Wrap the beginning of a message. Nothing escapes, whatever the message is."""
        return Outcome(
            source=self._source(self._letter_id(delivery), delivery),
            names=OF_DEAD_LETTER,
            topic=self._topics.dead_letter,
            record=self._encoding.cut_dead_letter(delivery, reason, now),
            about={"dead_letter_reason": reason.reason},
        )

    def dead_letter_id(self, delivery: Delivery) -> SourceId:
        """Name the dead letter that a message would be, as the journal does."""
        return OF_DEAD_LETTER.journal_id(self._letter_id(delivery))

    def _letter_id(self, delivery: Delivery) -> SourceId:
        return source_id(self._encoding.group, delivery)

    @staticmethod
    def _source(source_id: SourceId, delivery: Delivery) -> Source:
        return Source(source_id, delivery.topic_partition, delivery.offset)

    def _verdict(self, verdict: Verdict, record: Encoded) -> Outcome:
        return Outcome(
            source=self._source(verdict.submission.id, verdict.submission.delivery),
            names=names_of(verdict),
            topic=self._topics.by_decision[verdict.decision],
            record=record,
            smaller=partial(self._encoding.minimal_verdict, verdict),
            about={
                "decision": verdict.decision.value,
                "decided_by": verdict.decided_by,
                **({"cause": verdict.cause} if verdict.provisional else {}),
            },
        )
