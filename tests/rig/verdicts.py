"""
Verdicts as the service publishes them: decided by its own code about answers like the provider's, and encoded by it.

Most images are harmless, as uploads are; the others have one to four labels with confidences of two decimals. No two
are alike but by chance, and which ones there are depends on nothing but their number.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from consumer.locations import ByUrl, Image, ObjectRef
from consumer.policy.decide import Deciding
from consumer.records import (
    Assessment,
    Coverage,
    Delivery,
    Label,
    ModerationResult,
    Subject,
    Submission,
    Verdict,
    source_id,
)
from consumer.vendor_facts.aliyun import DEFAULT_SERVICE, LABELS, NOTHING_FOUND
from consumer.verdicts.encode import Encoded, Encoding

BEGAN = 1_763_632_800.0  # unix seconds of the first upload
APART = 1.2  # seconds between two: a million are a fortnight
_LISTED = sorted(LABELS - {NOTHING_FOUND})
_LEVELS = ("high", "medium", "low")
_PURPOSES = ("avatar", "listing", "message")


class Uploaded(NamedTuple):
    """An image, and what the provider said of it."""

    submission: Submission
    assessment: Assessment
    decided: float  # unix seconds


def uploads(
    count: int, *, began: float = BEGAN, apart: float = APART, harmless: float = 0.85, tenants: int = 20, seed: int = 1
) -> Iterator[Uploaded]:
    """Yield so many, the same ones every time: in so many nothing is found, and so many seconds lie between two."""
    lot = Random(seed)
    for number in range(count):
        at = began + number * apart
        read = Delivery(
            topic="uploads", partition=number % 12, offset=number // 12, timestamp=at, key=f"s{number}".encode(),
            value=b"{}", headers=(), received=at,
        )  # fmt: skip
        event, subject = f"upload-{number}", lot.randrange(max(count // 5, 1))
        submission = Submission(
            id=source_id("bench", read, event, "0"),
            delivery=read,
            event_id=event,
            event_time="2026-11-20T10:00:00.000Z",
            tenant=f"tenant-{subject % tenants}",
            purpose=_PURPOSES[subject % len(_PURPOSES)],
            subject=Subject(id=f"u_{subject}/pictures", type="user_picture", revision=1),
            image=Image(
                id="0",
                ref=ObjectRef(store="oss", bucket="ugc", key=f"pictures/{number}.jpg", region="ap-southeast-1"),
                mime="image/jpeg",
                size=48_213,
            ),
            of=1,
            location=ByUrl(f"https://cdn.example.com/pictures/{number}.jpg"),
            context=b'{"country":"DE","trust":"new"}',
        )
        yield Uploaded(submission, _assessment(lot, harmless, number), at + 0.4)


def published(uploaded: Uploaded, deciding: Deciding, encoding: Encoding) -> tuple[Verdict, Encoded]:
    """Decide and encode."""
    verdict = deciding.decide(uploaded.submission, uploaded.assessment, uploaded.decided)
    return verdict, encoding.verdict(verdict)


def _assessment(lot: Random, harmless: float, number: int) -> Assessment:
    if lot.random() < harmless:
        labels: tuple[Label, ...] = (Label(NOTHING_FOUND, None, "none"),)
        overall = "none"
    else:
        found = lot.sample(_LISTED, lot.choice((1, 1, 1, 2, 2, 3, 4)))
        labels = tuple(Label(each, round(lot.uniform(30, 100), 2), lot.choice(_LEVELS)) for each in found)
        overall = min((each.level or "none" for each in labels), key=("high", "medium", "low", "none").index)
    answer = ModerationResult(
        service=DEFAULT_SERVICE, request_id=f"{number:08X}-1D2F-5A0B-9C35-7E8A6B4C2D10", risk_level=overall,
        labels=labels, region="ap-southeast-1", sent=BEGAN, took=0.38,
    )  # fmt: skip
    return Assessment(answers=(answer,), coverage=Coverage(), queued=0.003, provider=0.38)
