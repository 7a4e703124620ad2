"""
Show what one Kafka message asks for, as the service reads it: a JSON object an image.

Without a configuration the bindings are not known, and the message is shown all the same: every bucket counts as bound,
every object as included, keys are read as their store usually writes them, and no `url` is made for an object.
"""

import base64
import binascii
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from consumer.config import Config
from consumer.config.bindings import Binding
from consumer.errors import Misconfigured, Undecodable
from consumer.intake.decode import NO_RULES, Bindings, Rules, decode, recognise
from consumer.intake.decode.bindings import Place
from consumer.locations import NotAskable, fetched_from
from consumer.records import Delivery, Headers, Ignored, Submission
from consumer.urls import shown_url


class EveryBucket(Bindings):
    """Binds whatever is asked for, and says nothing of it."""

    def find(self, bucket: str, key: str) -> Place | None:
        return Place.of(Binding(bucket=bucket, tenant="", purpose="", via="oss", region="unknown"))


def show(
    value: bytes | None, headers: Headers, config: Config | None, topic: str | None = None
) -> tuple[list[dict[str, Any]], bool]:
    """
    Return the lines to print, and whether the message was read: a dead letter was not.

    `topic` is where it was read, and decides what it may claim; the configuration's first where it is not said.
    """
    if topic is None:
        topic = "" if config is None else config.kafka.topics[0]
    message = Delivery(
        topic=topic, partition=0, offset=0, timestamp=0.0, key=None, value=value, headers=headers, received=time.time()
    )
    bindings = EveryBucket() if config is None else Bindings.of(config)
    rules = NO_RULES if config is None else Rules.of(config)
    try:
        decoded = decode(message, bindings, "", rules)
    except Undecodable as error:
        return [{"rejected": error.reason, "detail": error.detail}], False
    if isinstance(decoded, Ignored):
        return [{"ignored": decoded.reason}], True
    form = recognise(message, rules).format
    keep_query = config is not None and config.privacy.keep_query
    lines = [_line(submission, form, keep_query) for submission in decoded]
    if config is not None:  # only bindings know which versions can be asked for
        for line, submission in zip(lines, decoded, strict=True):
            if isinstance(submission.location, NotAskable):
                line["not_asked"] = submission.location.code
    return lines, True


def _line(submission: Submission, form: str, keep_query: bool) -> dict[str, Any]:
    image, location = submission.image, submission.location
    ref = image.ref
    url = None if isinstance(location, NotAskable) else fetched_from(location)
    return {
        "bucket": ref.bucket if ref else None,
        "key": ref.key if ref else None,
        "region": ref.region if ref else None,
        "version": ref.version if ref else None,
        "size": image.size,
        "url": None if url is None else shown_url(url, keep_query=keep_query),
        "format": form,
        "event_id": submission.event_id,
        "event_time": submission.event_time,
        "image": image.id,
        "of": submission.of,
        "subject": submission.subject.id,
        "tenant": submission.tenant or None,
        "purpose": submission.purpose or None,
        "mime": image.mime,
    }


def read_headers(path: Path, text: bytes) -> Headers:
    """
    Read a JSON list of `[name, value]`, a value being a text, null, or bytes as `{"base64": …}`.

    Raises:
        Misconfigured: naming the file and each header that is none.
    """
    try:
        pairs = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Misconfigured([f"{path}: is not JSON: {error}"]) from None
    if not isinstance(pairs, list):
        raise Misconfigured([f"{path}: must hold a list of [name, value] pairs"])
    problems: list[str] = []
    headers = [header for number, pair in enumerate(pairs) if (header := _header(path, number, pair, problems))]
    if problems:
        raise Misconfigured(problems)
    return headers


def _header(path: Path, number: int, pair: object, problems: list[str]) -> tuple[str, bytes | None] | None:
    match pair:
        case [str(name), None]:
            return name, None
        case [str(name), str(value)]:
            return name, value.encode()
        case [str(name), {"base64": str(value), **others}] if not others:
            try:
                return name, base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                problems.append(f"{path}: header {number} ({name}): base64 must be base64")
        case _:
            problems.append(
                f'{path}: header {number}: must be [name, value], with a text, null or {{"base64": "…"}} as its value'
            )
    return None


def lines(shown: Sequence[dict[str, Any]]) -> str:
    """Write a JSON object a line."""
    return "\n".join(orjson.dumps(each).decode() for each in shown)
