"""Verdicts, decisions of people, and what is remembered of them, as tests need them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from consumer.locations import Image, ObjectRef
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Decision, Label, ModerationResult, Verdict, source_id
from consumer.reviews.memory import Remembered
from consumer.reviews.review import Review, VerdictAt
from tests.rig.events import delivery, submission

POLICY = Policy(
    settings=PolicySettings.model_validate(
        {
            "policy": "p",
            "version": 1,
            "rules": [{"id": "never", "match": {"label": ["terror"]}, "then": "block", "pin": True}],
        }
    ),
    sha256="ab",
)


def verdict(
    offset: int, label: str = "porn", level: str = "high", *, group: str = "group", sha256: str | None = None,
    name: str = "a.jpg",
) -> Verdict:  # fmt: skip
    """A machine's verdict about an object, by a policy with a pinned rule on `terror`."""
    result = ModerationResult(service="s", request_id="R", risk_level=level, labels=(Label(label, 90.0, level),))
    read = delivery(offset=offset)
    image = Image(id="0", ref=ObjectRef(store="s3", bucket="ugc", key=name))
    about = replace(
        submission(read), id=source_id(group, read, f"e-{offset}", "0"), event_id=f"e-{offset}", image=image
    )
    return Deciding(POLICY).decide(about, Assessment(answers=(result,), sha256=sha256), 1_763_632_900.0)


def review(verdict_id: str, at: VerdictAt, decision: str = "approve", /, **members: Any) -> bytes:
    """A decision as a review tool publishes it."""
    return orjson.dumps(
        {
            "schema": "moderation.review.v1",
            "verdict_id": verdict_id,
            "verdict_at": at._asdict(),
            "decision": decision,
            "reviewer": "r-1",
            "decided_at": "2026-11-20T10:01:00.000Z",
            **members,
        }
    )


def decided(verdict_id: str = "v", decision: Any = "approve", **members: Any) -> Review:
    """The same as it is read."""
    at = VerdictAt("moderation.block", 0, 1)
    given = {"reviewer": "r-1", "decided_at": "2026-11-20T10:01:00.000Z", **members}
    return Review(verdict_id=verdict_id, at=at, decision=decision, **given)


def remembered(at: float = 10.0, decision: Decision = Decision.PASS, **members: Any) -> Remembered:
    """What is remembered of one."""
    given = {"place": VerdictAt("d", 0, int(at)), "verdict_id": "v", "reviewer": "r-1", "decided_at": "t", **members}
    return Remembered(decision=decision, at=at, **given)


def published(made: Verdict) -> Mapping[str, Any]:
    """A machine's verdict as its value says."""
    from consumer.verdicts.encode import Encoding

    value = Encoding(group="group").verdict(made).value
    found: Mapping[str, Any] = orjson.loads(value or b"")
    return found
