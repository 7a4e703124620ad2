"""
What is certainly not written, and what becomes of it.
"""

import asyncio
from contextlib import nullcontext

import pytest
from aiokafka import errors
from aiokafka.errors import KafkaError, for_code

from consumer.config.kafka import OutputTopics
from consumer.errors import OutcomeRefused
from consumer.kafka.producing import REFUSALS, refusal
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Failure
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.refused import MOST_HELD, REMEDIES, RETRY_DELAY, RefusedOutcomes
from tests.rig.clock import ManualClock
from tests.rig.events import delivery, submission

DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
FAILED = Assessment(failure=Failure(kind="image", code="407"))


def outcome(offset: int = 0) -> Outcome:
    """A verdict about the upload at `offset`, of which nothing smaller can be made any more."""
    made = Outcomes(Encoding(group="group"), OutputTopics()).verdict(
        DECIDING.decide(submission(delivery(offset=offset)), FAILED, 0.0)
    )
    return Outcome(source=made.source, names=made.names, topic=made.topic, record=made.record)


@pytest.mark.parametrize("code", sorted(errors.kafka_errors))
def test_only_a_closed_list_of_answers_proves_that_nothing_was_written(code: int) -> None:
    """
    Every other answer of a broker's is a doubt, and so looked up before anything is sent again.
    """
    found = refusal(for_code(code)(), alone=True)

    assert (found.word if found else None) == REFUSALS.get(code)


@pytest.mark.parametrize(
    "error", [KafkaError(), errors.UnknownError(), errors.OutOfOrderSequenceNumber(), errors.KafkaTimeoutError()]
)
def test_what_says_nothing_of_the_record_is_a_doubt(error: KafkaError) -> None:
    """
    A time-out, an unknown error and a gap in the sequence do not prove that nothing was written.
    """
    assert refusal(error, alone=True) is None


def test_every_refusal_says_how_to_mend_it() -> None:
    """
    Readiness tells the operator what to do, whatever the broker's word.
    """
    assert set(REMEDIES) == set(REFUSALS.values())


async def test_a_refused_outcome_is_named_until_it_is_taken() -> None:
    """
    Readiness is ok, and names the output, the source's place, the broker's word and the way on.
    """
    clock = ManualClock()
    refused = RefusedOutcomes(clock, nullcontext)
    read, made, began = delivery(offset=7), outcome(7), clock.now()

    again = await clock.run(refused.wait(made, read, OutcomeRefused("INVALID_RECORD")))
    degraded, reasons = refused.degraded(), refused.reasons_not_ready()
    refused.forget(again)

    assert again is made
    assert clock.now() == began + RETRY_DELAY
    assert degraded == [
        f"kafka: moderation.review refuses the outcome of {read.topic}/{read.partition} at offset 7 for "
        f"{RETRY_DELAY:.0f} s: INVALID_RECORD: set its cleanup.policy to delete, never compact"
    ]
    assert reasons == []
    assert refused.degraded() == []


async def test_what_is_too_large_gives_way_to_something_smaller_at_once() -> None:
    """
    Nobody waits while there is something smaller to send, and it is tried once.
    """
    clock = ManualClock()
    began = clock.now()
    refused = RefusedOutcomes(clock, nullcontext)
    large = Outcomes(Encoding(group="group"), OutputTopics()).verdict(
        DECIDING.decide(submission(delivery()), FAILED, 0.0)
    )

    smaller = await refused.wait(large, delivery(), OutcomeRefused("MESSAGE_TOO_LARGE", too_large=True))

    assert len(smaller.record.value or b"") < len(large.record.value or b"")
    assert smaller.smaller is None
    assert clock.now() == began
    assert refused.degraded() == []


async def test_nothing_more_is_paid_for_where_a_topic_takes_nothing() -> None:
    """
    Single records hold their partitions only; once a hundred are refused it is not the records.
    """
    stuck = asyncio.Event()

    class Standing(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await stuck.wait()

    refused = RefusedOutcomes(Standing(), nullcontext)
    word = OutcomeRefused("TOPIC_AUTHORIZATION_FAILED")
    waiting = [asyncio.create_task(refused.wait(outcome(n), delivery(offset=n), word)) for n in range(MOST_HELD - 1)]
    await asyncio.sleep(0)
    before = refused.takes_more()
    waiting.append(asyncio.create_task(refused.wait(outcome(MOST_HELD), delivery(offset=MOST_HELD), word)))
    await asyncio.sleep(0)
    after, reasons = refused.takes_more(), refused.reasons_not_ready()
    stuck.set()
    await asyncio.gather(*waiting)

    assert before
    assert not after
    assert reasons == [
        "kafka: 100 outcomes are refused by moderation.review: TOPIC_AUTHORIZATION_FAILED; no new calls are made"
    ]
