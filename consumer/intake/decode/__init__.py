"""
Bytes to submissions: whole or not at all, before anything is paid.

A message becomes one submission an image, or is ignored by a written rule, or is undecodable; `reasons.py` has a word
and a sentence for each. One file an event format; what Kafka's headers declare comes first, then the document's shape.
Nothing here reads, waits or logs.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from consumer.errors import Undecodable
from consumer.intake.decode import cloudevents
from consumer.intake.decode.bindings import Bindings
from consumer.intake.decode.formats import BARE, Format
from consumer.intake.decode.members import parse
from consumer.intake.decode.origin import Origin
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Delivery

__all__ = ["UNRECOGNISED", "Bindings", "Omission", "Origin", "Recognised", "Rejection", "decode", "recognise"]

UNRECOGNISED = "unrecognised"
UNREADABLE = "unreadable"

_SHAPES = (Format(cloudevents.STRUCTURED, cloudevents.fits, cloudevents.read_structured), *BARE)


class Recognised(NamedTuple):
    """The format of a message, and how to read it."""

    format: str
    read: Callable[[Origin], Decoded]
    """`Undecodable` escapes, and nothing else."""


def decode(delivery: Delivery, bindings: Bindings, group: str) -> Decoded:
    """
    Turn a message into its submissions, in the event's order, or into the rule by which it is ignored.

    The same delivery always yields the same ids, which differ between groups.

    Raises:
        Undecodable: the message is a dead letter. Nothing else escapes, whatever the bytes.
    """
    return recognise(delivery).read(Origin(delivery, bindings, group))


def recognise(delivery: Delivery) -> Recognised:
    """
    Tell the format of a message: `unrecognised` where it is none of ours, `no_value` of a tombstone, `unreadable` of a
    batch that could not be read.
    """
    value, headers = delivery.value, delivery.headers
    if (unreadable := delivery.unreadable) is not None:
        return Recognised(UNREADABLE, _refusing(Undecodable(unreadable.reason, unreadable.detail)))
    if value is None:
        return Recognised(Omission.NO_VALUE.value, lambda _: Omission.NO_VALUE.ignored)
    mode = cloudevents.declared(headers)
    if mode == cloudevents.BINARY:
        return Recognised(mode, lambda origin: cloudevents.read_binary(value, headers, origin))
    if mode == cloudevents.BATCH:
        refusal = Rejection.CLOUDEVENTS_BATCH.at("header content-type", "Kafka has no batches of CloudEvents")
        return Recognised(mode, _refusing(refusal))
    if mode == cloudevents.FOREIGN:
        refusal = Rejection.UNRECOGNISED.at("header content-type", "of CloudEvents, only the JSON format is read")
        return Recognised(mode, _refusing(refusal))
    try:
        document = parse(value)
    except Undecodable as error:
        return Recognised(mode or UNRECOGNISED, _refusing(error))
    if not isinstance(document, dict):
        refusal = Rejection.UNRECOGNISED.at("value", "is not a JSON object")
        return Recognised(mode or UNRECOGNISED, _refusing(refusal))
    if mode == cloudevents.STRUCTURED:
        return Recognised(mode, lambda origin: cloudevents.read_structured(document, origin))
    for shape in _SHAPES:
        if shape.fits(document):
            return Recognised(shape.name, partial(shape.read, document))
    return Recognised(UNRECOGNISED, _refusing(Rejection.UNRECOGNISED.at("value", "has the shape of no known event")))


def _refusing(refusal: Undecodable) -> Callable[[Origin], Decoded]:
    def refuse(_: Origin) -> Decoded:
        raise refusal

    return refuse
