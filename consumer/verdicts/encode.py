"""
Verdicts and dead letters as Kafka records: key, value, headers.

A verdict is a CloudEvent in binary mode. A dead letter is the message as it was, key and value byte for byte, and says
why in headers; or the beginning of it, where all of it is too large. Nothing here is the provider's free text; no URL
keeps its user or query, and no text of an image, name or keyword is included, unless `privacy` asks for it.
"""

import hashlib
import re
from dataclasses import dataclass, field

import orjson

from consumer.config.privacy import PrivacySettings
from consumer.errors import Undecodable
from consumer.journal import headers, signatures
from consumer.records import Delivery, Headers, Verdict, source_id
from consumer.vendor_facts.aliyun import PROVIDER
from consumer.verdicts.bounds import MOST_VALUE, bounded_headers, bounded_key, rfc3339, text, written_name
from consumer.verdicts.foreign import EncodedHeaders, unreadable_headers, written_headers
from consumer.verdicts.value import minimal, whole

__all__ = ["Encoded", "EncodedHeaders", "Encoding"]

CONTENT_TYPE = b"application/json"

# W3C: the trace that a message belongs to, and what vendors add to it.
_TRACE = {
    "traceparent": re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "tracestate": re.compile(rb"[\t -~]{1,512}"),
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A record to produce."""

    key: bytes | None
    value: bytes | None = field(repr=False)  # a dead letter is the message as it came, presigned URLs and all
    headers: EncodedHeaders = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How outcomes of one group are written."""

    group: str
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    provider: str = PROVIDER
    """What verdicts call the provider."""

    def verdict(self, verdict: Verdict) -> Encoded:
        """Encode a verdict, `moderation.verdict.v1`: the minimal one where the whole has more than 64 KiB."""
        value = orjson.dumps(whole(verdict, self.privacy, self.provider))
        return self._verdict(verdict, value if len(value) <= MOST_VALUE else minimal(verdict, self.provider))

    def minimal_verdict(self, verdict: Verdict) -> Encoded:
        """Encode the least of a verdict. Nothing escapes, whatever stands in it."""
        return self._verdict(verdict, minimal(verdict, self.provider))

    def dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Encoded:
        """Wrap a message that cannot be read; its own headers stay, but for those that have one of our names."""
        ours = self._dead_letter_headers(delivery, reason, now)
        theirs = written_headers(delivery.headers, {name for name, _ in ours} | {signatures.HEADER})
        return Encoded(delivery.key, delivery.value, theirs + ours)

    def cut_dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Encoded:
        """Wrap the beginning of a message, with its size and SHA-256. Nothing escapes, whatever the message is."""
        value = delivery.value
        key, of_key = bounded_key(delivery.key, "dlq_")
        ours = [
            *self._dead_letter_headers(delivery, reason, now),
            ("dlq_truncated", b"true"),
            ("dlq_size", str(len(value or b"")).encode()),
            ("dlq_sha256", hashlib.sha256(value or b"").hexdigest().encode()),
            *of_key,
        ]
        kept = bounded_headers(delivery.headers, "dlq_headers_omitted")
        names = {name for name, _ in ours} | {signatures.HEADER}
        theirs = [(written_name(f"original_{name}" if name in names else name), content) for name, content in kept]
        return Encoded(key, value[:MOST_VALUE] if value is not None else None, theirs + ours)

    def _verdict(self, verdict: Verdict, value: bytes) -> Encoded:
        submission = verdict.submission
        delivery = submission.delivery
        key, of_key = bounded_key(delivery.key, "source_")
        ours: EncodedHeaders = [
            ("ce_specversion", b"1.0"),
            ("ce_type", b"moderation.verdict.v1"),
            ("ce_source", f"/moderation-consumer/{self.group}".encode()),
            ("content-type", CONTENT_TYPE),
            *names_of(verdict).write(self.group, submission.id, delivery),
            ("source_image", text(submission.image.id, 1_024).encode()),
            ("sequence", str(verdict.sequence).encode()),
            *of_key,
        ]
        names = {name for name, _ in ours} | {signatures.HEADER} if delivery.headers else set[str]()
        theirs = [(name, content) for name, content in delivery.headers if name.lower() in names]
        kept = [
            (written_name(name if name == _LEFT_OUT else f"original_{name}"), content)
            for name, content in bounded_headers(theirs, _LEFT_OUT)
        ]
        return Encoded(key, value, ours + _trace(delivery.headers) + kept)

    def _dead_letter_headers(self, delivery: Delivery, reason: Undecodable, now: float) -> EncodedHeaders:
        return [
            ("dlq_reason", reason.reason.encode()),
            ("dlq_stage", b"decode"),
            ("dlq_error", text(reason.detail, 256).encode()),
            ("dlq_time", rfc3339(now).encode()),
            *headers.OF_DEAD_LETTER.write(self.group, source_id(self.group, delivery), delivery),
            *unreadable_headers(delivery.unreadable),
        ]


def names_of(verdict: Verdict) -> headers.SourceHeaders:
    """By which headers a verdict names its message."""
    return headers.OF_PROVISIONAL if verdict.provisional else headers.OF_VERDICT


_LEFT_OUT = "original_headers_omitted"


def _trace(theirs: Headers) -> EncodedHeaders:
    """The last well-formed ones; vendors' additions mean nothing without the trace."""
    found = {
        name: value for name, value in theirs if name in _TRACE and value and _TRACE[name].fullmatch(value)
    }  # fmt: skip
    return list(found.items()) if "traceparent" in found else []
