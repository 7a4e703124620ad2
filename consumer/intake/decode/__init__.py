"""
Bytes to submissions: whole or not at all, before anything is paid.

A message becomes one submission an image, or is ignored by a written rule, or is undecodable; `reasons.py` has a word
and a sentence for each. One file an event format; what Kafka's headers declare comes first, then the document's shape,
then what an envelope holds. Nothing here reads, waits or logs, and no parsed document outlives its decoding.
"""

from functools import partial

from consumer.errors import Undecodable
from consumer.intake.decode import cloudevents
from consumer.intake.decode.bindings import Bindings
from consumer.intake.decode.formats import Reader
from consumer.intake.decode.members import parse
from consumer.intake.decode.origin import Origin, Rules
from consumer.intake.decode.reading import Recognised, read_binary, read_structured, recognised
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Delivery

__all__ = [
    "NO_RULES",
    "UNRECOGNISED",
    "Bindings",
    "Omission",
    "Origin",
    "Recognised",
    "Rejection",
    "Rules",
    "decode",
    "recognise",
]

UNRECOGNISED = "unrecognised"
UNREADABLE = "unreadable"
NO_RULES = Rules()

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# How values begin that are no JSON in UTF-8 though they may hold some.
_BEGINNINGS = (
    (b"\xff\xfe", Rejection.NOT_JSON, "looks like UTF-16: write UTF-8"),
    (b"\xfe\xff", Rejection.NOT_JSON, "looks like UTF-16: write UTF-8"),
    (b"\x1f\x8b", Rejection.NOT_JSON, "looks like gzip: let Kafka compress (compression.type)"),
    (b"\x28\xb5\x2f\xfd", Rejection.NOT_JSON, "looks like zstd: let Kafka compress (compression.type)"),
    (b"Obj\x01", Rejection.UNRECOGNISED, "looks like Avro: write JSON"),
    (b"\x00", Rejection.UNRECOGNISED, "looks like a schema registry's wire format (magic byte 0): write plain JSON"),
)


def decode(delivery: Delivery, bindings: Bindings, group: str, rules: Rules = NO_RULES) -> Decoded:
    """
    Turn a message into its submissions, in the event's order, or into the rule by which it is ignored.

    The same delivery always yields the same ids, which differ between groups.

    Raises:
        Undecodable: the message is a dead letter. Nothing else escapes, whatever the bytes.
    """
    return recognise(delivery, rules).read(Origin(delivery, bindings, group, rules))


def recognise(delivery: Delivery, rules: Rules = NO_RULES) -> Recognised:
    """
    Tell the format of a message: `unrecognised` where it is none of ours, `no_value` of a tombstone, `unreadable` of a
    batch of records that could not be read.
    """
    value, headers = delivery.value, delivery.headers
    if (unreadable := delivery.unreadable) is not None:
        return Recognised(UNREADABLE, _refusing(Undecodable(unreadable.reason, unreadable.detail)))
    if rules.max_message_bytes is not None and delivery.size > rules.max_message_bytes:
        refusal = Rejection.TOO_LARGE.at("value", f"key, value and headers exceed {rules.max_message_bytes} bytes")
        return Recognised(UNRECOGNISED, _refusing(refusal))
    if value is None:
        return Recognised(Omission.NO_VALUE.value, lambda _: Omission.NO_VALUE.ignored)
    mode = cloudevents.declared(headers)
    if mode == cloudevents.BINARY:
        return Recognised(mode, partial(read_binary, value, headers))
    if mode == cloudevents.BATCH:
        refusal = Rejection.CLOUDEVENTS_BATCH.at("header content-type", "Kafka has no batches of CloudEvents")
        return Recognised(mode, _refusing(refusal))
    if mode == cloudevents.FOREIGN:
        refusal = Rejection.UNRECOGNISED.at("header content-type", "of CloudEvents, only the JSON format is read")
        return Recognised(mode, _refusing(refusal))
    try:
        document = parse(value.removeprefix(_BYTE_ORDER_MARK))
    except Undecodable as error:
        return Recognised(mode or UNRECOGNISED, _refusing(_explained(error, value)))
    if mode == cloudevents.STRUCTURED and isinstance(document, dict):
        return Recognised(mode, partial(read_structured, document))
    found = None if mode else recognised(document)
    if found is not None:
        return found
    if isinstance(document, list):
        what = "is a JSON array: write one event a message"
    elif isinstance(document, dict):
        what = "has the shape of no known event"
    else:
        what = "is not a JSON object"
    return Recognised(mode or UNRECOGNISED, _refusing(Rejection.UNRECOGNISED.at("value", what)))


def _explained(error: Undecodable, value: bytes) -> Undecodable:
    """Say what a value looks like that is no JSON."""
    for beginning, reason, what in _BEGINNINGS:
        if value.startswith(beginning):
            return reason.at("value", what)
    if b"\x00" in value[:4]:
        return Rejection.NOT_JSON.at("value", "looks like UTF-16 or UTF-32: write UTF-8")
    return error


def _refusing(refusal: Undecodable) -> Reader:
    def refuse(_: Origin) -> Decoded:
        raise Undecodable(refusal.reason, refusal.detail)

    return refuse
