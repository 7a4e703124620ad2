"""
Bytes to submissions: whole or not at all, before anything is paid.

A message becomes one submission an image, or is ignored by a written rule, or is undecodable; `reasons.py` has a word
and a sentence for each. One file an event format; what Kafka's headers declare comes first, then the document's shape.
Nothing here reads, waits or logs.
"""

from consumer.errors import Undecodable
from consumer.intake.decode import cloudevents
from consumer.intake.decode.bindings import Bindings
from consumer.intake.decode.formats import BARE, Format
from consumer.intake.decode.members import parse
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Delivery

__all__ = ["UNRECOGNISED", "Bindings", "Omission", "Rejection", "decode", "recognise"]

UNRECOGNISED = "unrecognised"

_SHAPES = (Format(cloudevents.STRUCTURED, cloudevents.fits, cloudevents.read_structured), *BARE)


def decode(delivery: Delivery, bindings: Bindings, group: str) -> Decoded:
    """
    Turn a message into its submissions, in the event's order, or into the rule by which it is ignored.

    The same delivery always yields the same ids, which differ between groups.

    Raises:
        Undecodable: the message is a dead letter. Nothing else escapes, whatever the bytes.
    """
    if delivery.value is None:
        return Omission.NO_VALUE.ignored
    origin = Origin(delivery, bindings, group)
    mode = cloudevents.declared(delivery.headers)
    if mode == cloudevents.BINARY:
        return cloudevents.read_binary(delivery.value, delivery.headers, origin)
    if mode == cloudevents.BATCH:
        raise Rejection.CLOUDEVENTS_BATCH.at("header content-type", "Kafka has no batches of CloudEvents")
    if mode == cloudevents.FOREIGN:
        raise Rejection.UNRECOGNISED.at("header content-type", "of CloudEvents, only the JSON format is read")
    document = parse(delivery.value)
    if not isinstance(document, dict):
        raise Rejection.UNRECOGNISED.at("value", "is not a JSON object")
    if mode == cloudevents.STRUCTURED:
        return cloudevents.read_structured(document, origin)
    for shape in _SHAPES:
        if shape.fits(document):
            return shape.read(document, origin)
    raise Rejection.UNRECOGNISED.at("value", "has the shape of no known event")


def recognise(delivery: Delivery) -> str:
    """
    Name the format that `decode` would read the message in, or `unrecognised`. For people: it parses for itself.
    """
    mode = cloudevents.declared(delivery.headers)
    if delivery.value is None or mode is not None:
        return mode or UNRECOGNISED
    try:
        document = parse(delivery.value)
    except Undecodable:
        return UNRECOGNISED
    if not isinstance(document, dict):
        return UNRECOGNISED
    return next((shape.name for shape in _SHAPES if shape.fits(document)), UNRECOGNISED)
