"""Notice in which format each message was recognised, as it is decoded: counted, never a gate."""

from consumer.intake.decode import Bindings, Origin, recognise
from consumer.observability import metrics
from consumer.records import Decoded, Delivery


def decode_noticing(delivery: Delivery, bindings: Bindings, group: str) -> Decoded:
    """See `decode`."""
    recognised = recognise(delivery)
    metrics.EVENTS.labels(recognised.format).inc()
    return recognised.read(Origin(delivery, bindings, group))
