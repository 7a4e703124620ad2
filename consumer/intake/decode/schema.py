"""
The native event as a JSON Schema, from the same limits and names that `native.py` reads by.

It accepts what the decoder accepts. What no schema can say is said in its descriptions: that images' ids differ, which
texts are addresses of hosts, how long a URL gets once it is percent-encoded, how many bytes unknown members take, how
deeply a member may nest, that 1.0 is no integer here, and that a bucket needs a binding.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from consumer.intake.decode.format import Format
from consumer.intake.decode.formats import FORMATS
from consumer.intake.decode.members import MAX_INTEGER, MAX_TEXT
from consumer.intake.decode.native import MAX_CARRIED, MAX_IMAGES, UPLOADED
from consumer.intake.decode.urls import MAX_URL

Schema = dict[str, Any]

LARGEST = 2**64 - 1  # of the integers that JSON is read into

# Python's `$` also fits before a last line break; ECMA's does not.
_END = r"$(?!\n)"

_CLOCK = (
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_FAR = r"[^\u0000-\u009f]"  # neither ASCII nor a control character
_USER = r"(?:(?:[A-Za-z0-9_.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+@)?"
_LABEL = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST = rf"(?:(?:{_LABEL}\.)*{_LABEL}\.?|\[[0-9A-Fa-f:.]+\])"
_PORT = "(?::(?:0*(?:[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]|[1-9][0-9]{0,3}))?)?"
_WEB_URL = rf"[Hh][Tt][Tt][Pp][Ss]?://{_USER}{_HOST}{_PORT}(?:[/?#](?:[!-\[\]-~]|{_FAR})*)?"


def event_schema() -> Schema:
    """Describe `image.uploaded.v1` as a bare message; inside a CloudEvent, its id, time and schema may stand there."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:moderation-consumer:image.uploaded.v1",
        "title": "image.uploaded.v1",
        "description": "One subject with 1 to 16 images. An empty text counts as an absent one. Members that are not "
        f"named here are kept. Those, `context` and `attrs` are left out of the verdict where together they take more "
        f"than {MAX_CARRIED} bytes of JSON. Nothing may nest deeper than 246 levels.",
        "type": "object",
        "required": ["schema", "event_id", "event_time", "subject", "images"],
        "properties": {
            "schema": {
                "description": "Minor versions, such as image.uploaded.v1.2, add members.",
                "type": "string",
                "pattern": r"^image\.uploaded\.v1(?:\.[0-9]+)*" + _END,
            },
            "event_id": _required("Names the event; a part of every verdict_id."),
            "event_time": {
                "description": "RFC 3339, with its offset.",
                "type": "string",
                "maxLength": MAX_TEXT,
                "pattern": f"^{_DATE}{_CLOCK}{_END}",
            },
            "tenant": _text("Whose upload it is; `default` where nothing is said."),
            "purpose": _text("What the image is for; `default` where nothing is said."),
            "subject": {
                "description": "The thing that the images belong to.",
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": _required("Names the subject, such as u_123/avatar."),
                    "type": _text("Such as user_avatar."),
                    "revision": {
                        "description": "Rises with each change, so that subscribers know which verdict is newer.",
                        "type": ["integer", "null"],
                        "minimum": -MAX_INTEGER,
                        "maximum": MAX_INTEGER,
                    },
                },
            },
            "images": {
                "description": "Each becomes one verdict. Their ids must differ.",
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_IMAGES,
                "items": _image(),
            },
            "context": _object("Of the upload, such as its country; carried along."),
            "attrs": _object("The producer's own; carried along."),
        },
        "not": {
            "description": "What these shapes hold is read as a CloudEvent or a notification, whatever `schema` says.",
            "anyOf": [dict(each.shape) for each in _before_native() if each.shape is not None],
        },
    }


def _before_native() -> Iterator[Format]:
    return takewhile(lambda each: each is not UPLOADED, FORMATS.all)


def _image() -> Schema:
    return {
        "type": "object",
        "description": "Needs a url, or a ref in a bucket that a binding covers, or of store oss with its region where "
        "oss.buckets opens the bucket. Where it has both, the ref counts, and needs a binding.",
        "properties": {
            "id": _text("Names the image in the event; its index where nothing is said."),
            "url": {
                "description": "http or https, with a host in ASCII that is a name or an address. What is not ASCII "
                "after it is percent-encoded, and the length counts after that.",
                "type": ["string", "null"],
                "maxLength": MAX_URL,
                "pattern": f"^(?:{_WEB_URL})?{_END}",
            },
            "ref": {
                "description": "An object in a bucket.",
                "type": ["object", "null"],
                "required": ["store", "bucket", "key"],
                "properties": {
                    "store": _required("Such as oss or s3."),
                    "bucket": _required("Its name."),
                    "key": _required("As it is, not percent-encoded."),
                    "region": _text("The bucket's."),
                    "version": _text(
                        "The object's, where the bucket keeps versions. No other is judged: it goes to review "
                        "where it cannot be asked for."
                    ),
                },
            },
            "mime": _text("Content type."),
            "bytes": {
                "description": "Size. Digits in a string count as well.",
                "anyOf": [
                    {"type": "null"},
                    {"type": "integer", "minimum": 0, "maximum": LARGEST},
                    {"type": "string", "pattern": f"^[0-9]{{0,19}}{_END}"},
                ],
            },
            "sha256": _text("Of the image's bytes, in hex; carried into the verdict as sha256_claimed."),
        },
        "anyOf": [
            {"required": ["url"], "properties": {"url": {"type": "string", "minLength": 1}}},
            {"required": ["ref"], "properties": {"ref": {"type": "object"}}},
        ],
    }


def _required(description: str) -> Schema:
    return {"description": description, "type": "string", "minLength": 1, "maxLength": MAX_TEXT}


def _text(description: str) -> Schema:
    return {"description": description, "type": ["string", "null"], "maxLength": MAX_TEXT}


def _object(description: str) -> Schema:
    return {"description": description, "type": ["object", "null"]}
