"""
Bytes to submissions: whole or not at all, before anything is paid.

A message becomes one submission an image, or is ignored by a written rule, or is undecodable; `reasons.py` has a word
and a sentence for each. One file an event format, all of them listed in `formats.py`; what Kafka's headers declare
comes first, then the document's shape. What a message may claim depends on its topic alone: `claims.py`. Nothing here
reads, waits or logs, and no parsed document outlives its decoding.
"""

from collections.abc import Callable
from functools import partial

from consumer.errors import Undecodable
from consumer.intake.decode.bindings import Bindings
from consumer.intake.decode.format import Formats, Reader, Recognised
from consumer.intake.decode.formats import FORMATS
from consumer.intake.decode.members import parse
from consumer.intake.decode.origin import Origin, Rules
from consumer.intake.decode.reasons import Omission, Rejection
from consumer.records import Decoded, Delivery, Ignored

__all__ = [
    "NO_RULES",
    "UNRECOGNISED",
    "Bindings",
    "Omission",
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


def decode(
    delivery: Delivery,
    bindings: Bindings,
    group: str,
    rules: Rules = NO_RULES,
    *,
    formats: Formats = FORMATS,
    count_format: Callable[[str], None] = lambda _: None,
) -> Decoded:
    """
    Turn a message into its submissions, in the event's order, or into the rule by which it is ignored.

    The same delivery always yields the same ids, which differ between groups. `count_format` takes the format's name,
    also of a message that is refused or ignored.

    Raises:
        Undecodable: the message is a dead letter. Nothing else escapes, whatever the bytes.
    """
    recognised = recognise(delivery, rules, formats)
    count_format(recognised.format)
    decoded = recognised.read(Origin(delivery, bindings, group, formats, rules))
    claims = rules.sources.get(delivery.topic)
    if claims is not None and not isinstance(decoded, Ignored):
        claims.check(decoded)
    return decoded


def recognise(delivery: Delivery, rules: Rules = NO_RULES, formats: Formats = FORMATS) -> Recognised:
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
    declared = formats.declared(headers)
    if declared is not None and declared.reads_bytes:
        return Recognised(declared.name, partial(declared.read, value))
    name = UNRECOGNISED if declared is None else declared.name
    try:
        document = parse(value.removeprefix(_BYTE_ORDER_MARK))
    except Undecodable as error:
        return Recognised(name, _refusing(_explained(error, value)))
    if declared is None:
        if (found := formats.recognised(document)) is not None:
            return found
    elif isinstance(document, dict):
        return Recognised(name, partial(declared.read, document))
    if isinstance(document, list):
        what = "is a JSON array: write one event a message"
    elif isinstance(document, dict):
        what = "has the shape of no known event"
    else:
        what = "is not a JSON object"
    return Recognised(name, _refusing(Rejection.UNRECOGNISED.at("value", what)))


def _explained(error: Undecodable, value: bytes) -> Undecodable:
    """Say what a value looks like that is no JSON."""
    for beginning, reason, what in _BEGINNINGS:
        if value.startswith(beginning):
            return reason.at("value", what)
    if b"\x00" in value[:4]:
        return Rejection.NOT_JSON.at("value", "looks like UTF-16 or UTF-32: write UTF-8")
    return error


def _refusing(refusal: Undecodable) -> Reader:
    reason, detail = refusal.reason, refusal.detail  # and not the error, whose frames hold the message

    def refuse(_: Origin) -> Decoded:
        raise Undecodable(reason, detail)

    return refuse
