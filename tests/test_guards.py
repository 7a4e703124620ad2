"""Nothing that one record meets goes past it: it is held, tried again, and ends in review or as a dead letter."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from consumer.config.kafka import OutputTopics
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import Lost, Undecodable
from consumer.holding import Holding
from consumer.pipeline import Pipeline
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Decision, Decoded, Delivery, Partition, Submission, Verdict
from consumer.unexpected import IN_A_ROW, OTHERS_JUDGED, UnexpectedErrors
from consumer.verdicts.encode import Encoded, Encoding
from consumer.verdicts.outcomes import Outcomes
from tests.rig.clock import ManualClock
from tests.rig.events import delivery, submission
from tests.test_pipeline import DECIDING, HARMLESS, FirstTurn, ListSink, images, pipeline

BAD = 1_000  # the offset of the message that meets a bug


class Rig:
    """A pipeline with a clock of its own, where messages at `BAD` meet what is given."""

    def __init__(self, **parts: Any) -> None:
        self.clock, self.sink, self.waits = ManualClock(), ListSink(), InterruptibleWaits()
        self.errors, self.lost = UnexpectedErrors(), False
        self.holding = Holding(self.errors, self.clock, self.waits, self._owns)
        self.asked: list[int] = []
        made = pipeline(self.sink, holding=self.holding, **{"assess": self.assess, **parts})
        self.pipeline: Pipeline = replace(made, clock=self.clock)

    def _owns(self, partition: Partition, epoch: int) -> bool:
        return not self.lost

    async def assess(self, asked: Submission) -> Assessment:
        self.asked.append(asked.delivery.offset)
        return HARMLESS

    async def judge_others(self, count: int) -> None:
        for number in range(count):
            await self.pipeline.carry(delivery(offset=number), FirstTurn())

    async def judge_bad_after_others(self) -> None:
        """The message at `BAD` meets its bug, others are judged, and it is tried once more."""
        bad = asyncio.ensure_future(self.pipeline.carry(delivery(offset=BAD), FirstTurn()))
        while not self.errors.held:
            await asyncio.sleep(0)
        await self.judge_others(OTHERS_JUDGED)
        await self.clock.run(bad)

    @property
    def last(self) -> dict[str, Any]:
        return self.sink.verdicts[-1]


def deciding_badly(asked: Submission, assessment: Assessment, now: float) -> Verdict:
    """Meets a bug at `BAD`, but for an assessment without answers."""
    if asked.delivery.offset == BAD and assessment.answers:
        raise ZeroDivisionError
    return DECIDING.decide(asked, assessment, now)


class EncodingBadly(Encoding):
    """Cannot write the whole verdict about `BAD`."""

    def verdict(self, verdict: Verdict) -> Encoded:
        if verdict.submission.delivery.offset == BAD:
            raise ValueError("netloc 'user:password＠host' contains invalid characters")
        return Encoding.verdict(self, verdict)

    def dead_letter(self, delivery: Delivery, reason: Undecodable, now: float) -> Encoded:
        raise UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed")


def badly_encoded() -> Outcomes:
    return Outcomes(EncodingBadly(group="group"), OutputTopics())


async def test_a_bug_of_one_image_sends_it_to_review_once_twenty_others_were_judged() -> None:
    """
    Asking fails with an exception nobody foresaw: class `internal`, and the others are not concerned.
    """

    async def assess(asked: Submission) -> Assessment:
        if asked.delivery.offset == BAD:
            raise ZeroDivisionError
        return HARMLESS

    rig = Rig(assess=assess)

    await rig.judge_bad_after_others()

    assert [verdict["decision"] for verdict in rig.sink.verdicts] == ["pass"] * OTHERS_JUDGED + ["review"]
    assert rig.last["error"] == {"class": "internal", "code": "ZeroDivisionError", "service": None}
    assert rig.last["image"]["url"] == "https://img.example.com/1.jpg"
    assert rig.errors.held == 0


@pytest.mark.parametrize(
    ("parts", "code"),
    [({"decide": deciding_badly}, "ZeroDivisionError"), ({"outcomes": badly_encoded()}, "ValueError")],
    ids=["deciding", "encoding"],
)
async def test_what_was_paid_is_not_asked_again_when_deciding_or_encoding_fails(
    parts: dict[str, Any], code: str
) -> None:
    """
    The answer is kept while the image is held; the verdict is a minimal one, without a URL, and never a pass.
    """
    rig = Rig(**parts)

    await rig.judge_bad_after_others()

    assert rig.asked.count(BAD) == 1
    assert (rig.last["decision"], rig.last["decided_by"]) == ("review", "fallback")
    assert rig.last["error"] == {"class": "internal", "code": code, "service": None}
    assert rig.last["image"]["url"] is None
    assert "image.url" in rig.last["omitted"]
    assert (rig.last["provider"]["attempts"], rig.last["provider"]["billed_calls"]) == (1, 1)


@pytest.mark.parametrize(("on_error", "decided", "expected"), [
    ("review", None, "review"), ("block", None, "block"), ("review", Decision.BLOCK, "block"),
    ("review", Decision.PASS, "review"), ("block", Decision.PASS, "block"),
])  # fmt: skip
def test_the_fallback_is_the_strictest(on_error: str, decided: Decision | None, expected: str) -> None:
    """
    What was decided and could not be written is never weakened, and never a pass.
    """
    settings = PolicySettings.model_validate({"policy": "p", "version": 1, "on_error": {"internal": on_error}})
    deciding = Deciding(Policy(settings=settings, sha256="ab"))

    assert deciding.fall_back(submission(), HARMLESS, decided, 0.0).decision == expected


async def test_a_message_that_a_bug_keeps_from_being_decoded_is_a_dead_letter() -> None:
    """
    Held like an image, then a dead letter `internal`, though the whole of it cannot be written.
    """

    def decode(read: Delivery) -> Decoded:
        if read.offset == BAD:
            raise RecursionError
        return [submission(read)]

    rig = Rig(decode=decode, outcomes=badly_encoded())

    await rig.judge_bad_after_others()

    assert rig.sink.dead_letters == [(b"{}", b"internal")]


async def test_the_other_images_of_a_message_are_judged() -> None:
    """
    One of three meets a bug: two verdicts at once, the third when it is the image's own.
    """

    async def assess(asked: Submission) -> Assessment:
        if asked.id == images(delivery(offset=BAD), 3)[1].id:
            raise ZeroDivisionError
        return HARMLESS

    rig = Rig(assess=assess, decode=lambda read: images(read, 3 if read.offset == BAD else 1))

    await rig.judge_bad_after_others()

    assert sorted(verdict["decision"] for verdict in rig.sink.verdicts) == ["pass"] * 22 + ["review"]


async def test_a_bug_in_every_image_halts_and_ends_nothing() -> None:
    """
    Twenty in a row: nothing new begins but one image in a second, readiness says why, nothing is published; when the
    bug is gone all of them are judged.
    """
    broken = True

    async def assess(asked: Submission) -> Assessment:
        tries.append(rig.clock.now())
        if broken:
            raise ZeroDivisionError
        return HARMLESS

    rig, tries = Rig(assess=assess), list[float]()
    carried = [
        asyncio.ensure_future(rig.pipeline.carry(delivery(offset=number), FirstTurn())) for number in range(IN_A_ROW)
    ]
    await asyncio.sleep(0)
    began = len(tries)
    reasons = rig.holding.reasons_not_ready()

    async def elapse() -> None:
        await rig.clock.sleep(60.0)

    await rig.clock.run(elapse())
    during = tries[began:]
    published = len(rig.sink.outcomes)
    broken = False
    await rig.clock.run(asyncio.gather(*carried))

    assert began == IN_A_ROW
    assert "20 images in a row met an unexpected error (ZeroDivisionError)" in reasons[0]
    assert published == 0
    assert 20 <= len(during) <= 61
    assert all(later - earlier > 0.99 for earlier, later in pairwise(during))
    assert len(rig.sink.verdicts) == IN_A_ROW
    assert rig.holding.reasons_not_ready() == []
    assert {verdict["decision"] for verdict in rig.sink.verdicts} == {"pass"}


async def test_new_images_begin_one_in_a_second_while_work_is_halted() -> None:
    """
    The held ones may all be of one bad kind: only others can show that.
    """
    rig = Rig()
    for number in range(IN_A_ROW):
        rig.errors.met(submission(delivery(offset=number)).id, "KeyError", rig.clock.now())

    async def inner(lanes: object) -> None:
        return

    has_capacity, room = rig.holding.has_capacity(lambda lane: True), rig.holding.wait_for_capacity(inner)
    first = has_capacity("default")
    rig.holding.tried()
    second = has_capacity("default")
    before = rig.clock.now()
    await rig.clock.run(room(["default"]))

    assert (first, second, has_capacity("default")) == (True, False, True)
    assert rig.clock.now() == before + 1.0


async def test_a_stop_leaves_what_is_held_uncommitted() -> None:
    """
    It does not wait for it: the record's task is cancelled, and nothing is published of it.
    """
    rig = Rig(decide=deciding_badly)
    bad = asyncio.ensure_future(rig.pipeline.carry(delivery(offset=BAD), FirstTurn()))
    await asyncio.sleep(0)

    rig.waits.close()
    [ending] = await asyncio.gather(bad, return_exceptions=True)

    assert isinstance(ending, asyncio.CancelledError)
    assert rig.sink.outcomes == []
    assert rig.errors.held == 0


async def test_what_is_held_is_dropped_when_its_partition_is_anothers() -> None:
    """
    It is judged there; what was paid for it is counted.
    """
    rig = Rig(decide=deciding_badly)
    before = REGISTRY.get_sample_value("moderation_paid_in_vain_total") or 0.0
    bad = asyncio.ensure_future(rig.pipeline.carry(delivery(offset=BAD), FirstTurn()))
    await asyncio.sleep(0)

    rig.lost = True
    with pytest.raises(Lost):
        await rig.clock.run(bad)

    assert rig.errors.held == 0
    assert REGISTRY.get_sample_value("moderation_paid_in_vain_total") == before + 1


async def test_the_log_of_a_bug_tells_its_place_and_none_of_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    """
    An exception's text may hold a URL with its user: class and frames are told, the text is not.
    """
    rig = Rig(outcomes=badly_encoded())

    await rig.judge_bad_after_others()

    told = capsys.readouterr()
    assert "submission.unexpected_error" in told.out + told.err
    assert "test_guards.py" in told.out + told.err
    assert "password" not in told.out + told.err


def test_a_minimal_verdict_is_readable() -> None:
    """
    It has every member that a whole one has.
    """
    whole = DECIDING.decide(submission(), HARMLESS, 0.0)
    outcomes = Outcomes(Encoding(group="group"), OutputTopics())

    values = [orjson.loads(made(whole).record.value or b"") for made in (outcomes.verdict, outcomes.minimal_verdict)]

    assert values[0].keys() == values[1].keys()
    assert values[0]["image"].keys() == values[1]["image"].keys()
