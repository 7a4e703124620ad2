"""
Callbacks of the 1.0 API: whether one is the vendor's, and which task it is about. Pure.

Vendor: a task that is finished is posted to the URL that its call named, as a form of two fields: `content`, which is
JSON, and `checksum`, the SHA-256 of the account's UID, the call's seed and that content. Repeated until HTTP 200, three
times at the most.

What the content says of the image is never looked at: it only says that the result may be asked for.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qsl

import orjson

from consumer.journal.tasks import is_task_id

MOST_FIELDS = 16  # of the form

Refused = Literal["forged", "unreadable"]


@dataclass(frozen=True, slots=True)
class CallbackSecret:
    """What a checksum is made with."""

    uid: str  # of the account
    seed: str = field(repr=False)

    def checksum(self, content: str) -> str:
        """Return the checksum of a content, 64 hex digits."""
        return sha256(f"{self.uid}{self.seed}{content}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Callback:
    """A genuine one: the tasks that it names."""

    task_ids: Sequence[str]


def read_callback(body: bytes, secret: CallbackSecret) -> Callback | Refused:
    """Return what a form says, or why it is not believed. Nothing escapes, whatever was sent."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:  # UnicodeDecodeError too
        return "unreadable"
    fields = dict(pairs)
    checksum, content = fields.get("checksum"), fields.get("content")
    if checksum is None or content is None or len(fields) < len(pairs):
        return "unreadable"
    if not hmac.compare_digest(secret.checksum(content).encode(), checksum.lower().encode()):
        return "forged"
    return _tasks_of(content)


def _tasks_of(content: str) -> Callback | Refused:
    """Vendor: the content is of one task; an SDK's sample reads a list of them."""
    try:
        said = orjson.loads(content)
    except orjson.JSONDecodeError:
        return "unreadable"
    found = [each.get("taskId") for each in (said if isinstance(said, list) else [said]) if isinstance(each, dict)]
    named = [each for each in found if isinstance(each, str) and is_task_id(each)]
    return Callback(named) if named and len(named) == len(found) else "unreadable"
