"""What a format's reader needs besides the document: where it came from and what an envelope already said."""

from dataclasses import dataclass

from consumer.intake.decode.bindings import Bindings
from consumer.records import Delivery


@dataclass(frozen=True, slots=True)
class Origin:
    """The delivery that a document came in, the group that reads it, and the envelope's own words."""

    delivery: Delivery
    bindings: Bindings
    group: str
    event_id: str | None = None  # an envelope's id is the event's
    event_time: str | None = None  # an envelope's time stands in where the event has none
