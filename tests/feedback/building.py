"""Votes, decisions and verdicts, as tests of feedback need them."""

from dataclasses import dataclass
from typing import Any

from consumer.feedback import About, Place, Said, Vote
from consumer.locations import ObjectRef

ABOUT = About("uploads", 0, 7, "0")
OBJECT = ObjectRef(store="oss", bucket="ugc", key="a/b c.jpg", version="v1")


def vote(
    reviewer: str = "r1",
    said: Said = "remove",
    *,
    offset: int = 0,
    about: About = ABOUT,
    proposes: bool = True,
    labels: tuple[str, ...] = ("pornographic_adultContent",),
    judged: ObjectRef | None = OBJECT,
) -> Vote:
    return Vote(
        about=about,
        tenant="shop-eu",
        verdict_id="v" * 32,
        said=said,
        proposes=proposes,
        reviewer=reviewer,
        place=Place("moderation.review-decisions", 0, offset),
        decided_at="2026-11-20T10:00:00Z",
        labels=labels,
        object=judged,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """As a reviewer's tool writes it."""

    decision: Said = "remove"
    reviewer: str = "r1"
    decided_at: str = "2026-11-20T10:00:00Z"
    feedback: str = "propose"
    labels_confirmed: tuple[str, ...] = ()
    labels_rejected: tuple[str, ...] = ()


def verdict(*labels: tuple[str, str], **image: Any) -> dict[str, Any]:
    """A verdict with findings of such labels and levels, about an object unless `image` says otherwise."""
    return {
        "schema": "moderation.verdict.v1",
        "verdict_id": "v" * 32,
        "tenant": "shop-eu",
        "event": {"id": "e", "topic": "uploads", "partition": 0, "offset": 7},
        "image": {
            "id": "0",
            "url": None,
            "ref": {"store": "oss", "bucket": "ugc", "key": "a/b c.jpg", "region": "ap-southeast-1"},
            "version": "v1",
            "etag": None,
            **image,
        },
        "findings": [{"service": "s", "label": label, "level": level} for label, level in labels],
    }
