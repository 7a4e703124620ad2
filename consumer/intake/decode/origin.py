"""What a format's reader needs besides the document: where it came from and what an envelope already said."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from consumer.config import Config
from consumer.intake.decode.bindings import Bindings
from consumer.intake.decode.claims import Claims
from consumer.intake.decode.globs import any_of
from consumer.intake.decode.members import is_timestamp, moment
from consumer.intake.decode.reasons import Rejection
from consumer.records import Delivery

if TYPE_CHECKING:
    from consumer.intake.decode.format import Formats

MAX_ENVELOPES = 8  # texts and base64 included: a topic's message in a queue's in a CloudEvent takes five
EPOCH = "1970-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator says of all messages."""

    max_message_bytes: int | None = None  # key, value and headers; None: any size
    ignored_types: re.Pattern[str] | None = None  # of CloudEvents that are no uploads
    sources: Mapping[str, Claims] = field(default_factory=dict)  # by topic; of any other, its producers may claim all

    @classmethod
    def of(cls, config: Config) -> Self:
        """Make the configuration's rules ready."""
        sources = {topic: Claims.of(source) for topic, source in config.sources.items()}
        return cls(config.kafka.max_message_bytes, any_of(config.cloudevents.ignore), sources)

    def ignore(self, cloudevent_type: str) -> bool:
        """Tell whether CloudEvents of this type may be ignored where they are no uploads."""
        return self.ignored_types is not None and self.ignored_types.fullmatch(cloudevent_type) is not None


@dataclass(frozen=True, slots=True)
class Origin:
    """The delivery that a document came in, the group that reads it, what is known, and the envelopes' own words."""

    delivery: Delivery
    bindings: Bindings
    group: str
    formats: "Formats"  # that what an envelope holds may have
    rules: Rules = Rules()
    event_id: str | None = None  # an envelope's id is the event's
    event_time: str | None = None  # an envelope's time stands in where the event has none
    envelopes: int = 0  # that were opened so far

    @property
    def time(self) -> str:
        """When it happened, for a notification that does not say so: the envelope's time, or Kafka's."""
        if self.event_time is not None and is_timestamp(self.event_time):
            return self.event_time
        return moment(self.delivery.timestamp) or moment(self.delivery.received) or EPOCH

    def inside(self, event_id: str | None = None, event_time: str | None = None) -> Self:
        """
        Return the origin of what an envelope holds; the innermost envelope's words count.

        Raises:
            Undecodable: there are more envelopes than are opened.
        """
        if self.envelopes >= MAX_ENVELOPES:
            raise Rejection.UNRECOGNISED.at("value", f"is wrapped in more than {MAX_ENVELOPES} envelopes")
        return replace(
            self,
            event_id=event_id or self.event_id,
            event_time=event_time or self.event_time,
            envelopes=self.envelopes + 1,
        )
