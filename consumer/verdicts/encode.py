"""
Verdicts and dead letters as Kafka records: key, value, headers.

A verdict is a CloudEvent in binary mode. A dead letter is the message as it was, key and value byte for byte, and says
why in headers. Nothing here is the provider's free text; no URL keeps its query, and no text of an image, name or
keyword is told, unless that is asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from consumer.config import MOST_TEXTS, PrivacySettings
from consumer.errors import Undecodable
from consumer.records import Delivery, Finding, Headers, Hits, ObjectRef, Verdict, source_id
from consumer.verdicts.foreign import unreadable_headers, written_headers

PROVIDER = "aliyun-image-moderation-2.0"
ENGINE = f"moderation-consumer/{version('moderation-consumer')}"
CONTENT_TYPE = b"application/json"

# W3C: the trace that a message belongs to, and what vendors add to it.
_TRACE = {
    "traceparent": re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    "tracestate": re.compile(rb"[\t -~]{1,512}"),
}

EncodedHeaders = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A record to produce."""

    key: bytes | None
    value: bytes | None
    headers: EncodedHeaders


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How outcomes of one group are written."""

    group: str
    privacy: PrivacySettings = field(default_factory=PrivacySettings)

    def verdict(self, verdict: Verdict) -> Encoded:
        """Encode a verdict, `moderation.verdict.v1`."""
        submission = verdict.submission
        delivery = submission.delivery
        ours: EncodedHeaders = [
            ("ce_specversion", b"1.0"),
            ("ce_type", b"moderation.verdict.v1"),
            ("ce_source", f"/moderation-consumer/{self.group}".encode()),
            ("ce_id", submission.id.encode()),
            ("content-type", CONTENT_TYPE),
            ("source_topic", delivery.topic.encode()),
            ("source_partition", str(delivery.partition).encode()),
            ("source_offset", str(delivery.offset).encode()),
            ("source_image", submission.image.id.encode()),
            ("source_group", self.group.encode()),
        ]
        names = {name for name, _ in ours}
        ours += _trace(delivery.headers)
        ours += [(f"original_{name}", value) for name, value in delivery.headers if name.lower() in names]
        return Encoded(delivery.key, orjson.dumps(self._value(verdict)), ours)

    def dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Encoded:
        """Wrap a message that cannot be read; its own headers stay, but for those that have one of our names."""
        ours: EncodedHeaders = [
            ("dlq_reason", reason.reason.encode()),
            ("dlq_stage", b"decode"),
            ("dlq_error", reason.detail[:256].encode(errors="replace")),
            ("dlq_source_topic", delivery.topic.encode()),
            ("dlq_source_partition", str(delivery.partition).encode()),
            ("dlq_source_offset", str(delivery.offset).encode()),
            ("dlq_time", rfc3339(now).encode()),
            ("dlq_id", source_id(self.group, delivery).encode()),
            ("source_group", self.group.encode()),
            *unreadable_headers(delivery.unreadable),
        ]
        theirs = written_headers(delivery.headers, {name for name, _ in ours})
        return Encoded(delivery.key, delivery.value, theirs + ours)

    def _value(self, verdict: Verdict) -> dict[str, Any]:
        submission, assessment = verdict.submission, verdict.assessment
        delivery, image, answers = submission.delivery, submission.image, assessment.answers
        failure = assessment.failure
        first = answers[0] if answers else None
        asked = first or failure
        return {
            "schema": "moderation.verdict.v1",
            "verdict_id": submission.id,
            "tenant": submission.tenant,
            "purpose": submission.purpose,
            "subject": {"id": submission.subject.id, "revision": submission.subject.revision},
            "event": {
                "id": submission.event_id,
                "time": submission.event_time,
                "topic": delivery.topic,
                "partition": delivery.partition,
                "offset": delivery.offset,
            },
            "image": {
                "id": image.id,
                "of": submission.of,
                "url": _shown(image.url, self.privacy.keep_query),
                "ref": _ref(image.ref),
                "sha256": image.sha256,
            },
            "decision": verdict.decision.value,
            "decided_by": verdict.decided_by,
            "provisional": False,
            "risk_level": verdict.risk_level,
            "reasons": [{"rule": reason.rule, **_finding(reason.finding, source=True)} for reason in verdict.reasons],
            "findings": [_finding(finding) for finding in verdict.findings],
            "hits": _hits([answer.hits for answer in answers], self.privacy),
            "provider": {
                "name": PROVIDER,
                "region": (asked.region or None) if asked else None,
                "request_id": first.request_id if first else None,
                "code": 200 if first else None,
                "attempts": assessment.attempts,
                "billed_calls": assessment.billed_calls,
            },
            "policy": {
                "id": verdict.policy.id,
                "version": verdict.policy.version,
                "sha256": verdict.policy.sha256,
            },
            "error": {"class": failure.kind, "code": failure.code} if failure else None,
            "timing": {
                "received": rfc3339(delivery.received),
                "decided": rfc3339(verdict.decided),
                "queued_ms": _milliseconds(assessment.queued),
                "provider_ms": _milliseconds(assessment.provider),
            },
            "engine": ENGINE,
        }


def _trace(headers: Headers) -> EncodedHeaders:
    """The last well-formed ones; vendors' additions mean nothing without the trace."""
    found = {
        name: value for name, value in headers if name in _TRACE and value and _TRACE[name].fullmatch(value)
    }  # fmt: skip
    return list(found.items()) if "traceparent" in found else []


def rfc3339(unix_seconds: float) -> str:
    """Write a moment in UTC with milliseconds: `2026-11-20T10:00:00.000Z`."""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _finding(finding: Finding, *, source: bool = False) -> dict[str, Any]:
    shown = {
        "service": finding.service,
        "label": finding.label,
        "confidence": finding.confidence,
        "level": finding.level,
    }
    return {**shown, "level_source": finding.level_source} if source else shown


def _hits(hits: Sequence[Hits], privacy: PrivacySettings) -> dict[str, Any]:
    public_figures = sum(each.public_figures for each in hits)
    text_lines = sum(each.text_lines for each in hits)
    shown: dict[str, Any] = {
        "image_libraries": sorted({library for each in hits for library in each.image_libraries}),
        "keyword_libraries": sorted({library for each in hits for library in each.keyword_libraries}),
        "public_figures": public_figures,
        "logos": sorted({logo for each in hits for logo in each.logos}),
        "text_lines": text_lines,
    }
    matched_words = sum(each.matched_words for each in hits)
    for name, telling, count, texts in (
        ("recognised_text", privacy.recognised_text, text_lines, [each.recognised_text for each in hits]),
        ("figures", privacy.public_figures, public_figures, [each.figures for each in hits]),
        ("keywords", privacy.keywords, matched_words, [each.keywords for each in hits]),
    ):
        if telling == "count":
            shown[name] = count
        elif telling != "none":
            told = dict.fromkeys(chain.from_iterable(texts))
            shown[name] = (sorted(told) if telling == "hash" else list(told))[:MOST_TEXTS]
    return shown


def _shown(url: str | None, keep_query: bool) -> str | None:
    """A URL without query, fragment and user: presigned URLs are credentials."""
    if url is None or keep_query:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _ref(ref: ObjectRef | None) -> dict[str, Any] | None:
    return {"store": ref.store, "bucket": ref.bucket, "key": ref.key, "region": ref.region} if ref else None
