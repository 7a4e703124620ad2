"""Notice in which format each message was recognised, as it is decoded: counted, never a gate."""

from consumer.intake.decode import NO_RULES, Bindings, Origin, Rules, recognise
from consumer.observability import metrics
from consumer.records import Decoded, Delivery


def decode_noticing(delivery: Delivery, bindings: Bindings, group: str, rules: Rules = NO_RULES) -> Decoded:
    """See `decode`."""
    recognised = recognise(delivery, rules)
    metrics.EVENTS.labels(recognised.format).inc()
    return recognised.read(Origin(delivery, bindings, group, rules))
