"""
The provisional verdict: what subscribers are told of an image that has no answer yet. Values only.

It has an id of its own, so that no journal takes it for the image's outcome; and nothing but its id says which one it
is, so that whoever publishes it a second time writes the same id again.
"""

import hashlib
from dataclasses import replace

import orjson

from consumer.journal.headers import OF_PROVISIONAL
from consumer.records import Assessment, Decision, PolicyName, SourceId, Submission, Verdict


def provisional_id(submission: SourceId) -> SourceId:
    """Name the provisional verdict of a submission."""
    return SourceId(hashlib.sha256(orjson.dumps([submission, "provisional"])).hexdigest()[:32])


def journal_id(submission: SourceId) -> SourceId:
    """Name it in the journal."""
    return OF_PROVISIONAL.journal_id(provisional_id(submission))


def provisional_verdict(submission: Submission, policy: PolicyName, now: float) -> Verdict:
    """
    Have people look at an image that has no answer at `now` (unix seconds). Nothing has failed, so it has no error.

    Its submission bears the provisional verdict's id.
    """
    return Verdict(
        submission=replace(submission, id=provisional_id(submission.id)),
        assessment=Assessment(),
        decision=Decision.REVIEW,
        decided_by="fallback",
        risk_level=None,
        reasons=(),
        findings=(),
        policy=policy,
        decided=now,
        provisional=True,
        sequence=0,
        cause="deadline",
    )
