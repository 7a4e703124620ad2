"""
A verdict that takes another's place, as it is written. Pure.

What was found, and of what, is taken over from the other; who decides what by which rule is new.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from consumer.commands.policy.redecide.chains import sequence_of
from consumer.commands.policy.redecide.flips import Judged, stricter
from consumer.journal import superseding
from consumer.journal.signatures import HEADER, Keyring
from consumer.policy.ready import UNSEEN
from consumer.records import Finding, PolicyName, Reason
from consumer.verdicts.bounds import MOST_VALUE, rfc3339
from consumer.verdicts.encode import Encoded, EncodedHeaders
from consumer.verdicts.value import ENGINE

CAUSE = "policy_change"
_DROPPED = {"shadow"}  # tried out by the policy that decided then
_TRACE = ("traceparent", "tracestate")


def superseding_id(superseded: str, policy: PolicyName) -> str:
    """Name the verdict by which a policy supersedes another verdict: the same in every run."""
    return hashlib.sha256(f"{superseded}\0{policy.sha256}".encode(errors="surrogatepass")).hexdigest()[:32]


def superseding_value(old: Mapping[str, Any], judged: Judged, policy: PolicyName, now: float) -> bytes | None:
    """Write the value at `now` (unix seconds); None where it would be larger than any verdict may be."""
    written = orjson.dumps(_superseding(old, judged, policy, now))
    return written if len(written) <= MOST_VALUE else None


def _superseding(old: Mapping[str, Any], judged: Judged, policy: PolicyName, now: float) -> Mapping[str, Any]:
    record, again = judged.record, judged.again
    if record is None or again is None:
        raise ValueError("only what was decided again takes a place")
    floor = stricter(record.floor, again.floor)
    return {
        **{name: content for name, content in old.items() if name not in _DROPPED},
        "verdict_id": superseding_id(old["verdict_id"], policy),
        "supersedes": old["verdict_id"],
        "cause": CAUSE,
        "sequence": sequence_of(old) + 1,
        "decision": again.decision.value,
        "decided_by": again.decided_by,
        "provisional": False,
        "floor": {"rule": floor.rule, "decision": floor.decision.value} if floor else None,
        "reasons": [_reason(each) for each in again.reasons],
        "findings": [*_found(old["findings"]), *_unseen(again.findings)],
        "provider": {**old["provider"], "attempts": 0, "billed_calls": 0},
        "policy": {"id": policy.id, "version": policy.version, "sha256": policy.sha256},
        "timing": {**old["timing"], "decided": rfc3339(now), "as_of": rfc3339(record.moment)},
        "engine": ENGINE,
    }


def _found(written: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (each for each in written if each["label"] != UNSEEN)


def _unseen(findings: Sequence[Finding]) -> Iterator[Mapping[str, Any]]:
    return (_finding(each) for each in findings if each.label == UNSEEN)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "service": finding.service,
        "label": finding.label,
        "confidence": finding.confidence,
        "level": finding.level,
        "frame": finding.frame,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    finding = reason.finding
    return {"rule": reason.rule, **_finding(finding), "level_source": finding.level_source}


def encoded(
    value: bytes, verdict_id: str, sequence: int, group: str, key: bytes | None, old: Mapping[str, bytes | None]
) -> Encoded:
    """Make the record of a superseding verdict, with the key and the trace of the one whose place it takes."""
    headers: EncodedHeaders = [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"moderation.verdict.v1"),
        ("ce_source", f"/moderation-consumer/{group}".encode()),
        ("content-type", b"application/json"),
        ("ce_id", verdict_id.encode()),
        ("sequence", b"%d" % sequence),
        (superseding.GROUP, group.encode()),
        *((name, old[name]) for name in _TRACE if old.get(name)),
    ]
    return Encoded(key, value, headers)


def signed(record: Encoded, group: str, verdict_id: str, topic: str, keyring: Keyring, now: float) -> Encoded:
    """Sign a record for its topic at `now` (unix seconds)."""
    claim = superseding.SupersedingClaim(group, verdict_id, topic, record.key, record.value or b"")
    return Encoded(record.key, record.value, [*record.headers, (HEADER, claim.sign(keyring, now))])
