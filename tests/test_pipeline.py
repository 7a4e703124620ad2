from collections.abc import Awaitable, Callable

import pytest

from consumer.config import Policy, PolicySettings
from consumer.errors import Undecodable
from consumer.pipeline import UNFORESEEN_IN_A_ROW, Broken, Pipeline
from consumer.records import Answer, Assessment, Decoded, Delivery, Ignored, Label, Submission, Verdict
from consumer.verdicts.policy import Deciding
from tests.clock import ManualClock
from tests.events import delivery, submission

DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
HARMLESS = Assessment(answers=(Answer(service="s", request_id="R", risk_level="none", labels=(Label("nonLabel"),)),))


class ListSink:
    """Keeps what is published, in order."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []
        self.buried: list[tuple[Delivery, str]] = []

    async def publish(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    async def bury(self, delivery: Delivery, reason: Undecodable) -> None:
        self.buried.append((delivery, reason.reason))


class FirstTurn:
    """A turn that has come."""

    async def wait(self) -> None:
        return


async def harmless(_: Submission) -> Assessment:
    return HARMLESS


def pipeline(
    sink: ListSink,
    decode: Callable[[Delivery], Decoded] = lambda read: [submission(read)],
    assess: Callable[[Submission], Awaitable[Assessment]] = harmless,
) -> Pipeline:
    return Pipeline(decode=decode, assess=assess, decide=DECIDING.decide, sink=sink, clock=ManualClock())


async def test_an_image_ends_as_one_verdict() -> None:
    """
    Decode, assess, decide, publish: one verdict an image.
    """
    sink = ListSink()

    await pipeline(sink, decode=lambda read: [submission(read)] * 3).carry(delivery(), FirstTurn())

    assert [verdict.decision for verdict in sink.verdicts] == ["pass"] * 3


async def test_what_cannot_be_read_is_buried_whole() -> None:
    """
    An undecodable message goes to the dead letters, and nothing is asked.
    """

    def refuse(_: Delivery) -> Decoded:
        raise Undecodable("not_json", "at byte 0")

    sink, read = ListSink(), delivery(b"\xff")

    await pipeline(sink, decode=refuse).carry(read, FirstTurn())

    assert sink.buried == [(read, "not_json")]
    assert sink.verdicts == []


async def test_what_is_ignored_leaves_no_trace() -> None:
    """
    A message ignored by rule ends without an outcome.
    """
    sink = ListSink()

    await pipeline(sink, decode=lambda _: Ignored("no_value")).carry(delivery(None), FirstTurn())

    assert (sink.verdicts, sink.buried) == ([], [])


async def test_a_bug_sends_its_image_to_review_and_spares_the_others() -> None:
    """
    An exception nobody foresaw ends as review with class `internal`; the message's other images are judged.
    """

    async def trip_once(asked: Submission) -> Assessment:
        if not sink.tripped:
            sink.tripped = True
            raise ZeroDivisionError
        return HARMLESS

    class TrippingSink(ListSink):
        tripped = False

    sink = TrippingSink()

    await pipeline(sink, decode=lambda read: [submission(read)] * 2, assess=trip_once).carry(delivery(), FirstTurn())

    assert sorted(verdict.decision for verdict in sink.verdicts) == ["pass", "review"]
    [failure] = [verdict.assessment.failure for verdict in sink.verdicts if verdict.assessment.failure]
    assert (failure.kind, failure.code) == ("internal", "ZeroDivisionError")


async def test_a_bug_in_every_record_stops_the_service() -> None:
    """
    The twentieth unforeseen exception in a row escapes, and its message stays open.
    """

    async def always_trip(_: Submission) -> Assessment:
        raise ZeroDivisionError

    sink = ListSink()
    broken = pipeline(sink, assess=always_trip)

    for _ in range(UNFORESEEN_IN_A_ROW - 1):
        await broken.carry(delivery(), FirstTurn())
    with pytest.raises(Broken, match="20 images in a row"):
        await broken.carry(delivery(), FirstTurn())

    assert [verdict.decision for verdict in sink.verdicts] == ["review"] * (UNFORESEEN_IN_A_ROW - 1)
