"""Answers that a scan has paid for are not asked for again, each picture's for itself."""

from dataclasses import dataclass, field

import pytest

from consumer.commands.scan.answers import Answer, Remembering
from consumer.errors import Malformed
from consumer.locations import ByObject, ByUpload
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.copies import Copies, Copy
from consumer.records import Label, ModerationResult
from tests.moderation.requests import context

PICTURES = 3


@dataclass
class Kept:
    """Answers in memory."""

    answers: dict[tuple[str, str, int], Answer] = field(default_factory=dict)

    def answer(self, submission: str, service: str, nth: int) -> Answer | None:
        return self.answers.get((submission, service, nth))

    def add_answer(self, submission: str, service: str, nth: int, answer: Answer) -> None:
        self.answers[submission, service, nth] = answer


class Frames:
    """A `Moderator` that finds in each picture of a file its own number, and counts what it was asked."""

    def __init__(self, broken: int | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self._broken = broken

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        assert isinstance(request.location, ByUpload)
        nth = request.location.nth
        self.asked.append((request.service, nth))
        call.copies.pictures = PICTURES
        if nth == self._broken:
            raise Malformed("not_json", billed="yes")
        call.copies.judged.append(Copy(ByObject("b", str(nth), None), 0.0, "ab", 9, nth * 4, scaled=True))
        labels = (Label(f"frame_{nth}", 90.0, "high"),)
        return ModerationResult(
            service=request.service, request_id="R", risk_level="high", labels=labels, frame=nth * 4
        )


async def scan(
    frames: Frames, kept: Kept, *asked: tuple[str, int], last: str | None = "last"
) -> tuple[Copies, list[ModerationResult]]:
    """What is known of a file, and the answers of services about its pictures."""
    remembering, call = Remembering(frames, kept, last), context()
    results = []
    for service, nth in asked:
        request = ModerationRequest(submission="i", location=ByUpload("file:///i.gif", nth=nth), service=service)
        results.append(await remembering.ask(request, call))
    return call.copies, results


async def test_each_picture_has_the_answer_about_it() -> None:
    """
    One picture's answer is never taken for another's, in the same scan or in the next one.
    """
    kept, frames = Kept(), Frames()
    every = [(service, nth) for service in ("first", "last") for nth in range(PICTURES)]

    _, results = await scan(frames, kept, *every)
    copies, again = await scan(frames, kept, *every)

    assert frames.asked == every
    assert [each.labels[0].name for each in results] == ["frame_0", "frame_1", "frame_2"] * 2
    assert again == results
    assert copies.pictures == PICTURES
    assert [(copy.sha256, copy.frames, copy.frame, copy.scaled) for copy in copies.judged[:PICTURES]] == [
        ("ab", 9, frame, True) for frame in (0, 4, 8)
    ]


async def test_pictures_that_were_not_asked_about_are() -> None:
    """
    A scan that ended between two pictures asks about the others, and knows how many there are.
    """
    kept, frames = Kept(), Frames()
    await scan(frames, kept, ("first", 0), ("first", 2))

    copies, _ = await scan(frames, kept, ("first", 0))
    assert copies.pictures == PICTURES
    await scan(frames, kept, ("first", 1), ("first", 2))

    assert frames.asked == [("first", 0), ("first", 2), ("first", 1)]


async def test_an_answer_that_cannot_be_trusted_stays_one() -> None:
    """
    It was paid for: it is not asked for again, and its picture stays unjudged.
    """
    kept, frames = Kept(), Frames(broken=1)

    for _ in range(2):
        with pytest.raises(Malformed):
            await scan(frames, kept, ("first", 1))

    assert frames.asked == [("first", 1)]


async def test_of_one_picture_the_last_answer_is_kept_with_the_result() -> None:
    """
    The image's own line follows at once.
    """
    kept = Kept()

    class One(Frames):
        async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
            result = await super().ask(request, call)
            call.copies.pictures = 1
            return result._replace(frame=None)

    await scan(One(), kept, ("first", 0), ("last", 0))

    assert [service for _, service, _ in kept.answers] == ["first"]


async def test_where_images_are_asked_by_different_services_every_answer_is_kept() -> None:
    """
    Which is the last one of an image is not known then.
    """
    kept = Kept()

    await scan(Frames(), kept, ("first", 0), ("last", 0), last=None)

    assert [service for _, service, _ in kept.answers] == ["first", "last"]
