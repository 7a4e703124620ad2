"""
What carries an event of another kind inside: queues' and topics' messages, and texts that hold JSON.

Envelopes are opened and their content is named by its path; `reading.py` reads it. A CloudEvent is one too, with rules
of its own: `cloudevents.py`.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from consumer.intake.decode.members import Document


class Content(NamedTuple):
    """Something that an envelope holds, and its path in the envelope."""

    held: Any
    path: str


def opened(document: Document) -> tuple[str, Sequence[Content]] | None:
    """
    Name an envelope and return what it holds; None of what is no envelope.

    `sns`: `Message`, beside SNS's `TopicArn`, `MessageId` or type `Notification`, also as `Records[].Sns`.
    `sqs`: `body` or `Body`, also as `Records[]` or `Messages[]`; so do Argo Events wrap what its sources receive.
    """
    if _is_sns(document):
        return "sns", [Content(document["Message"], "Message")]
    for member in ("Records", "Messages"):
        entries = document.get(member)
        if isinstance(entries, list) and entries:
            contents = [each for index, entry in enumerate(entries) for each in _of_entry(entry, f"{member}[{index}]")]
            if len(contents) == len(entries):
                return ("sns" if contents[0].path.endswith("Message") else "sqs"), contents
    if body := _of_body(document, ""):
        return "sqs", body
    return None


def document_in(text: str) -> Document | None:
    """Return the JSON object that a text holds, as it is or in base64 of any kind; None where it holds none."""
    found = _object(text.encode())
    if found is not None:
        return found
    encoded = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return _object(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        return None


def _object(text: bytes) -> Document | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _is_sns(document: Document) -> bool:
    return isinstance(document.get("Message"), str) and (
        document.get("Type") == "Notification" or "TopicArn" in document or "MessageId" in document
    )


def _of_entry(entry: object, where: str) -> list[Content]:
    if not isinstance(entry, dict):
        return []
    notification = entry.get("Sns")
    if isinstance(notification, dict) and isinstance(notification.get("Message"), str):
        return [Content(notification["Message"], f"{where}.Sns.Message")]
    return _of_body(entry, f"{where}.")


def _of_body(document: Document, where: str) -> list[Content]:
    for name in ("body", "Body"):
        if isinstance(document.get(name), str | dict):
            return [Content(document[name], where + name)]
    return []
