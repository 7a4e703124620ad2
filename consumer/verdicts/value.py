"""
The value of a verdict, `moderation.verdict.v1`: whole, or the least of it that says what was decided.

The whole one holds what the event and the provider say; it may be too large, or fail where either is not what it should
be. The minimal one holds bounded texts and numbers only, no URL, and never fails; `omitted` names what it lacks.
"""

from importlib.metadata import version
from typing import Any

import orjson

from consumer.config.privacy import PrivacySettings
from consumer.hits import NOTHING_MET
from consumer.journal.headers import RESCAN
from consumer.locations import ObjectRef
from consumer.records import (
    Assessment,
    CandidateTrial,
    Coverage,
    Failure,
    Finding,
    ModerationResult,
    Submission,
    Trial,
    Verdict,
)
from consumer.rollout import identity_of
from consumer.urls import shown_url
from consumer.verdicts.bounds import MOST_VALUE, rfc3339, text
from consumer.verdicts.hits import shown_hits

SCHEMA = "moderation.verdict.v1"
ENGINE = f"moderation-consumer/{version('moderation-consumer')}"

# Characters of a text and reasons that a minimal verdict keeps: what fits first counts.
_MINIMAL = ((2_100, 16), (256, 0))
_MOST_TRIED = 16  # rules


def whole(verdict: Verdict, privacy: PrivacySettings, provider: str) -> dict[str, Any]:
    """All that is known of a verdict. Whatever escapes is a bug, or an event that should have been refused."""
    submission, assessment = verdict.submission, verdict.assessment
    image, failure = submission.image, assessment.failure
    return {
        **_head(submission),
        "tenant": submission.tenant,
        "purpose": submission.purpose,
        "subject": {
            "id": submission.subject.id,
            "revision": submission.subject.revision,
            "type": submission.subject.type,
        },
        "event": _event(submission, submission.event_id, submission.event_time),
        "image": {
            "id": image.id,
            "of": submission.of,
            "url": shown_url(image.url, keep_query=privacy.keep_query) if image.url else None,
            "ref": _ref(image.ref),
            "sha256": assessment.sha256,
            "sha256_claimed": image.sha256_claimed,
            "mime": image.mime,
            "bytes": image.size,
            "version": image.ref.version if image.ref else None,
            "etag": image.ref.etag if image.ref else None,
        },
        "identity": identity_of(submission, assessment),
        **_decided(verdict),
        "asked": _asked(verdict),
        "coverage": _coverage(assessment.coverage),
        "risk_level": verdict.risk_level,
        "reasons": [{"rule": reason.rule, **_finding(reason.finding, source=True)} for reason in verdict.reasons],
        "findings": [_finding(finding) for finding in verdict.findings],
        "hits": shown_hits(assessment.answers, privacy),
        "provider": _provider(provider, assessment),
        "policy": {"id": verdict.policy.id, "version": verdict.policy.version, "sha256": verdict.policy.sha256},
        "error": {"class": failure.kind, "code": failure.code, "service": failure.service or None} if failure else None,
        "context": _carried(submission, "context", privacy),
        "attrs": _carried(submission, "attrs", privacy),
        "omitted": list(submission.omitted),
        **_tail(verdict),
    }


def minimal(verdict: Verdict, provider: str) -> bytes:
    """The least of a verdict, encoded: at most 64 KiB, whatever stands in the verdict. Nothing escapes."""
    for texts, reasons in _MINIMAL[:-1]:
        encoded = orjson.dumps(_minimal(verdict, provider, texts, reasons))
        if len(encoded) <= MOST_VALUE:
            return encoded
    return orjson.dumps(_minimal(verdict, provider, *_MINIMAL[-1]))


def _minimal(verdict: Verdict, provider: str, texts: int, most_reasons: int) -> dict[str, Any]:
    submission, assessment = verdict.submission, verdict.assessment
    identity = identity_of(submission, assessment)
    subject, image, ref, failure = submission.subject, submission.image, submission.image.ref, assessment.failure
    reasons = [
        {"rule": reason.rule, **_finding(reason.finding, source=True)}
        for reason in verdict.reasons[:most_reasons]
        if _is_short(reason.rule, reason.finding)
    ]
    left_out = {
        "subject.type": subject.type,
        "image.url": image.url,
        "image.sha256_claimed": image.sha256_claimed,
        "image.mime": image.mime,
        "image.version": ref and ref.version,
        "image.etag": ref and ref.etag,
        "identity": text(identity, 256) != identity,
        "reasons": len(reasons) < len(verdict.reasons),
        "findings": verdict.findings,
        "hits": any(answer.hits != NOTHING_MET for answer in assessment.answers),
        "context": submission.context != b"{}",
        "attrs": submission.attrs != b"{}",
    }
    return {
        **_head(submission),
        "tenant": text(submission.tenant, texts),
        "purpose": text(submission.purpose, texts),
        "subject": {"id": text(subject.id, texts), "revision": _integer(subject.revision), "type": None},
        "event": _event(submission, text(submission.event_id, texts), text(submission.event_time, 64)),
        "image": {
            "id": text(image.id, texts),
            "of": submission.of,
            "url": None,
            "ref": _minimal_ref(ref, texts),
            "sha256": None,
            "sha256_claimed": None,
            "mime": None,
            "bytes": _integer(image.size),
            "version": None,
            "etag": None,
        },
        "identity": identity if text(identity, 256) == identity else None,
        **_decided(verdict),
        "asked": _minimal_asked(verdict),
        "coverage": _coverage(assessment.coverage),
        "risk_level": text(verdict.risk_level, 64) if verdict.risk_level is not None else None,
        "reasons": reasons,
        "findings": [],
        "hits": shown_hits((), PrivacySettings()),
        "provider": {**_provider(provider, assessment), "request_id": None, "calls": []},
        "policy": {"id": verdict.policy.id, "version": verdict.policy.version, "sha256": verdict.policy.sha256},
        "error": _minimal_error(failure),
        "context": None,
        "attrs": None,
        "omitted": [
            *(name for name, value in left_out.items() if value),
            *(each for each in submission.omitted if not left_out.get(each)),
        ],
        **_tail(verdict),
    }


def _asked(verdict: Verdict) -> dict[str, Any]:
    """What was to be learned of the image; nothing where it could not be asked about."""
    assessment = verdict.assessment
    answered = [each.service for each in assessment.answers]
    services = [*answered, *(each.service for each in assessment.failures if each.service)]
    return {"services": list(dict.fromkeys(services)), "info": list(verdict.info) if services else []}


def _minimal_asked(verdict: Verdict) -> dict[str, Any]:
    asked = _asked(verdict)
    return {"services": [text(each, 64) for each in asked["services"]], "info": asked["info"]}


def _coverage(coverage: Coverage | None) -> dict[str, Any] | None:
    if coverage is None:
        return None
    return {"frames": [coverage.seen, coverage.frames], "scaled": coverage.scaled}


def _minimal_error(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    service = text(failure.service, 64) if failure.service else None
    return {"class": text(failure.kind, 64), "code": text(failure.code, 64), "service": service}


def _head(submission: Submission) -> dict[str, Any]:
    return {"schema": SCHEMA, "verdict_id": submission.id}


def _event(submission: Submission, event_id: str, time: str) -> dict[str, Any]:
    read = submission.delivery
    return {"id": event_id, "time": time, "topic": read.topic, "partition": read.partition, "offset": read.offset}


def _decided(verdict: Verdict) -> dict[str, Any]:
    floor = verdict.floor
    return {
        "decision": verdict.decision.value,
        "decided_by": verdict.decided_by,
        "cause": _cause(verdict),
        "sequence": verdict.sequence,
        "provisional": verdict.provisional,
        "floor": {"rule": floor.rule, "decision": floor.decision.value} if floor else None,
        **({"shadow": _shadow(verdict)} if verdict.trial or verdict.candidate else {}),
    }


def _cause(verdict: Verdict) -> str:
    """As the verdict has it; an upload that was published to ask about an image again says so in a header."""
    if verdict.cause == "upload" and any(name == RESCAN for name, _ in verdict.submission.delivery.headers):
        return "rescan"
    return verdict.cause


def _shadow(verdict: Verdict) -> dict[str, Any]:
    shown = {"rules": _trial(verdict.trial)} if verdict.trial else {}
    if (candidate := verdict.candidate) is not None:
        named, unknown = candidate.policy, list(candidate.unknown[:_MOST_TRIED])
        policy = {"id": named.id, "version": named.version, "sha256": named.sha256}
        shown["candidate"] = {"policy": policy, **_trial(candidate), "unknown": unknown}
    return shown


def _trial(trial: Trial | CandidateTrial) -> dict[str, Any]:
    return {"decision": trial.decision.value, "rules": list(trial.rules[:_MOST_TRIED])}


def _tail(verdict: Verdict) -> dict[str, Any]:
    assessment = verdict.assessment
    return {
        "timing": {
            "received": rfc3339(verdict.submission.delivery.received),
            "decided": rfc3339(verdict.decided),
            "queued_ms": _milliseconds(assessment.queued),
            "provider_ms": _milliseconds(assessment.provider),
        },
        "engine": ENGINE,
    }


def _provider(name: str, assessment: Assessment) -> dict[str, Any]:
    first = assessment.answers[0] if assessment.answers else None
    asked = first or assessment.failure
    return {
        "name": name,
        "region": (asked.region or None) if asked else None,
        "request_id": first.request_id if first else None,
        "code": 200 if first else None,
        "attempts": assessment.attempts,
        "billed_calls": assessment.billed_calls,
        "calls": [
            *(_call(each, "200") for each in assessment.answers),
            *(_call(each, each.code) for each in assessment.failures),
        ],
    }


def _call(asked: ModerationResult | Failure, code: str) -> dict[str, Any]:
    return {
        "service": asked.service or None,
        "region": asked.region or None,
        "request_id": asked.request_id,
        "code": code,
        "frame": asked.frame,
    }


def _carried(submission: Submission, name: str, privacy: PrivacySettings) -> Any:
    """An object of the event's as it may be shown; None where it was left out because it was too large."""
    if name in submission.omitted:
        return None
    written: bytes = getattr(submission, name)
    if privacy.context == "all":
        return orjson.Fragment(written)
    if privacy.context == "none" or written == b"{}":
        return {}
    return {key: value for key, value in orjson.loads(written).items() if key in privacy.context}


def _finding(finding: Finding, *, source: bool = False) -> dict[str, Any]:
    shown = {
        "service": finding.service,
        "label": finding.label,
        "confidence": finding.confidence,
        "level": finding.level,
        "frame": finding.frame,
    }
    return {**shown, "level_source": finding.level_source} if source else shown


def _is_short(rule: str, finding: Finding) -> bool:
    """Whether a reason takes little room and can be written."""
    texts = (rule, finding.service, finding.label, finding.level)
    return all(text(each, 128) == each for each in texts)


def _ref(ref: ObjectRef | None) -> dict[str, Any] | None:
    return {"store": ref.store, "bucket": ref.bucket, "key": ref.key, "region": ref.region} if ref else None


def _minimal_ref(ref: ObjectRef | None, texts: int) -> dict[str, Any] | None:
    if ref is None:
        return None
    return {
        "store": text(ref.store, 64),
        "bucket": text(ref.bucket, texts),
        "key": text(ref.key, texts),
        "region": None,
    }


def _integer(value: object) -> int | None:
    """An integer that JSON's writer takes."""
    return value if isinstance(value, int) and -(2**63) <= value < 2**64 else None


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(round(seconds * 1000), 2**53)
