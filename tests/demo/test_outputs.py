"""What the demo reads of the outputs, from records as the service encodes them."""

from typing import Any

from aiokafka import ConsumerRecord

from consumer.demo.outcomes import WHOLE, Outcome, Place, Source
from consumer.demo.outputs import read_record
from consumer.errors import Undecodable
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Coverage, Failure, Label, ModerationResult
from consumer.verdicts.encode import Encoded, Encoding
from tests.rig.events import delivery, submission

ENCODING = Encoding(group="demo")
UPLOAD = delivery(offset=17, partition=3)


def record(encoded: Encoded) -> ConsumerRecord[Any, Any]:
    """An encoded outcome as a consumer gets it."""
    return ConsumerRecord(
        topic="moderation.block", partition=0, offset=0, timestamp=1_763_632_802_500, timestamp_type=0,
        key=encoded.key, value=encoded.value, checksum=None, serialized_key_size=0, serialized_value_size=0,
        headers=tuple(encoded.headers),
    )  # fmt: skip


def verdict(assessment: Assessment) -> ConsumerRecord[Any, Any]:
    policy = Deciding(Policy(settings=PolicySettings(policy="default", version=1), sha256="0" * 64))
    return record(ENCODING.verdict(policy.decide(submission(UPLOAD), assessment, 1_763_632_802.0)))


def test_a_verdict_names_its_upload_and_its_level() -> None:
    """
    A verdict tells which image of which upload it is about, its risk level, when the call departed and what it took.
    """
    answer = ModerationResult(
        service="baselineCheck_global",
        request_id="R",
        risk_level="high",
        labels=(Label("violent_explosion", 97.2, "high"),),
    )
    assessment = Assessment(answers=(answer,), queued=0.5, provider=0.25, sha256="ab", coverage=Coverage())

    seen = read_record(verdict(assessment), Place.BLOCK)

    assert (seen.source, seen.image) == (Source(3, 17), "0")
    assert seen.outcome == Outcome(Place.BLOCK, "high")
    assert (seen.sha256, seen.frames, seen.deciding) == ("ab", 1, frozenset())
    assert (seen.called, seen.provider_seconds, seen.at) == (1_763_632_801.5, 0.25, 1_763_632_802.5)


def test_a_verdict_names_the_frame_that_decided() -> None:
    """
    Of several frames that were judged, those that are a reason for the decision.
    """
    green, red = (
        ModerationResult(service="s", request_id="R", risk_level=level, labels=(Label(name, 97.2, level),), frame=frame)
        for frame, (level, name) in enumerate((("none", "nonLabel"), ("high", "violent_burning")))
    )

    seen = read_record(
        verdict(Assessment(answers=(green, red), queued=0.5, provider=0.25, coverage=Coverage(seen=2, frames=2))),
        Place.BLOCK,
    )

    assert (seen.frames, seen.deciding) == (2, frozenset({1}))


def test_a_verdict_without_an_answer_names_the_error() -> None:
    """
    An image that could not be judged is seen with the class of its error, not with a level.
    """
    seen = read_record(verdict(Assessment(failure=Failure(kind="fetch", code="404"))), Place.REVIEW)

    assert seen.outcome == Outcome(Place.REVIEW, "error: fetch")
    assert (seen.called, seen.provider_seconds, seen.sha256) == (None, None, None)


def test_a_dead_letter_names_its_upload_and_its_reason() -> None:
    """
    A dead letter is about the whole message, and its headers say why.
    """
    letter = ENCODING.dead_letter(UPLOAD, Undecodable("not_json", "value: no"), 1_763_632_802.0)

    seen = read_record(record(letter), Place.DEAD_LETTER)

    assert (seen.source, seen.image) == (Source(3, 17), WHOLE)
    assert seen.outcome == Outcome(Place.DEAD_LETTER, "not_json")
    assert seen.content["dlq_stage"] == "decode"
