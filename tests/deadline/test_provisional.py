"""What is published of uploads that have no answer at their deadline."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY

from consumer.config.kafka import OutputTopics
from consumer.deadline.due import Deadlines, PerMinute
from consumer.deadline.provisional import AT_ONCE, Open, Provisionals
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import OutcomeRefused, Undecodable
from consumer.fairness import DEFAULT, Lanes
from consumer.journal.journal import Journal
from consumer.records import Decoded, Delivery, Ignored, PolicyName, Submission, source_id
from consumer.verdicts.encode import Encoding
from consumer.verdicts.outcomes import Outcome, Outcomes
from consumer.verdicts.provisional import journal_id, provisional_id
from consumer.verdicts.publisher import Publisher
from consumer.verdicts.refused import RefusedOutcomes
from tests.rig.clock import ManualClock
from tests.rig.events import delivery, submission

POLICY = PolicyName(id="test", version=1, sha256="ab")
OUTCOMES = Outcomes(Encoding(group="group"), OutputTopics())
START = 1_763_632_801.0  # when `delivery` was read


def one_image(read: Delivery) -> Decoded:
    return [submission(read)]


def images(read: Delivery, count: int) -> list[Submission]:
    return [replace(submission(read), id=source_id("group", read, "event-1", str(n)), of=count) for n in range(count)]


@dataclass
class Kafka:
    """A sink whose topics refuse what is named here, and take the rest once they are open."""

    refuses: dict[str, OutcomeRefused] = field(default_factory=dict)  # by topic
    outcomes: list[Outcome] = field(default_factory=list)
    begun: list[Outcome] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self.open.set()

    async def wait_for_capacity(self) -> None:
        return

    async def publish(self, outcome: Outcome) -> None:
        self.begun.append(outcome)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        if outcome.topic in self.refuses and outcome.smaller is not None:
            raise self.refuses[outcome.topic]
        self.outcomes.append(outcome)

    @property
    def values(self) -> list[dict[str, Any]]:
        return [orjson.loads(each.record.value or b"") for each in self.outcomes]


@dataclass
class Rig:
    """Provisional verdicts about some open messages, with a deadline of 30 s in the one lane."""

    open_now: list[Delivery]
    decode: Callable[[Delivery], Decoded] = one_image
    per_minute: int = 600
    ours: bool = True
    kafka: Kafka = field(default_factory=Kafka)
    journal: Journal = field(default_factory=Journal)
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    outcomes: Outcomes = OUTCOMES

    def __post_init__(self) -> None:
        lanes = Lanes({DEFAULT: 1.0}, {"uploads": DEFAULT})
        refused = RefusedOutcomes(self.clock, InterruptibleWaits().interruptible)
        self.publisher = Publisher(self.journal, self.kafka, refused, self.clock)
        self.provisionals = Provisionals(
            deadlines=Deadlines({DEFAULT: 30.0}, lanes), room=PerMinute(self.per_minute),
            open=Open(lambda: self.open_now, lambda _: self.ours, self.decode),
            outcome=lambda submission, now: self.outcomes.provisional(submission, POLICY, now),
            publisher=self.publisher, clock=self.clock,
        )  # fmt: skip

    async def at(self, seconds: float) -> list[str]:
        """Look that long after the start, for as long as there is more; return the ids of all that is published."""
        self.clock.time = START + seconds
        while await self.provisionals.look():
            pass
        return [each["verdict_id"] for each in self.kafka.values]


def counted(outcome: str) -> float:
    name, labels = "moderation_provisional_verdicts_total", {"lane": DEFAULT, "outcome": outcome}
    return REGISTRY.get_sample_value(name, labels) or 0.0


def ids(*reads: Delivery) -> list[str]:
    return [provisional_id(submission(each).id) for each in reads]


async def test_an_upload_without_an_answer_at_its_deadline_goes_to_review_for_now() -> None:
    """
    Once, with an id of its own, and as nothing that counts: it is provisional, and nothing has failed.
    """
    read, before = delivery(offset=7), counted("published")
    rig = Rig([read])

    assert await rig.at(29.9) == []
    assert await rig.at(30.0) == ids(read)
    assert await rig.at(90.0) == ids(read)

    [verdict], [outcome] = rig.kafka.values, rig.kafka.outcomes
    assert verdict["verdict_id"] != submission(read).id
    assert verdict["event"]["offset"] == 7
    wanted = {
        "decision": "review", "decided_by": "fallback", "provisional": True, "sequence": 0, "cause": "deadline",
        "error": None,
    }  # fmt: skip
    assert {name: verdict[name] for name in wanted} == wanted
    assert verdict["provider"]["billed_calls"] == 0
    assert outcome.topic == "moderation.review"
    assert outcome.record.key == read.key
    assert counted("published") - before == 1


async def test_the_journal_knows_it_and_the_verdict_is_still_owed() -> None:
    """
    Who finds it in the outputs does not publish it again, and does not take the image for judged.
    """
    read = delivery(offset=7)
    rig = Rig([read])
    await rig.at(30.0)

    assert rig.journal.holds(read, journal_id(submission(read).id))
    assert not rig.publisher.is_published(read, submission(read).id)
    successor = Rig([read], journal=rig.journal)
    assert await successor.at(60.0) == []


async def test_an_image_that_has_its_verdict_gets_none() -> None:
    """
    Of a message of three images one is published, one is on its way to Kafka: one is told of.
    """
    read = delivery(offset=7)
    published, leaving, waiting = images(read, 3)
    rig = Rig([read], decode=lambda read: images(read, 3))
    rig.journal.note(read.topic_partition, 7, published.id, START)

    class Turn:
        def narrow(self, tenants: object) -> None:
            return

        async def wait(self) -> None:
            return

    rig.kafka.open.clear()
    final = OUTCOMES.provisional(leaving, POLICY, START)
    sending = asyncio.create_task(rig.publisher.publish(leaving.id, lambda _: final, read, Turn()))
    while not rig.kafka.begun:
        await asyncio.sleep(0)
    looking = asyncio.create_task(rig.at(30.0))
    while len(rig.kafka.begun) < 2:
        await asyncio.sleep(0)
    rig.kafka.open.set()
    await asyncio.gather(sending, looking)

    told = [each for each in rig.kafka.values if each["verdict_id"] != provisional_id(leaving.id)]
    assert [each["verdict_id"] for each in told] == [provisional_id(waiting.id)]
    assert len(rig.kafka.outcomes) == 2


async def test_nothing_is_said_of_what_may_be_anothers_until_it_is_certainly_ours_again() -> None:
    """
    In a rebalance, and while a stop drains.
    """
    read = delivery()
    rig = Rig([read], ours=False)

    assert await rig.at(60.0) == []
    rig.ours = True
    assert await rig.at(61.0) == ids(read)


async def test_a_flood_is_bounded_by_the_minute_and_counted_and_the_oldest_go_first() -> None:
    """
    Of 70 that are overdue 30 a minute are told of; those that are answered meanwhile are not.
    """
    before = counted("held_back")
    reads = [replace(delivery(offset=each), received=START + each / 100) for each in range(70)]
    rig = Rig(list(reversed(reads)), per_minute=30)

    assert sorted(await rig.at(40.0)) == sorted(ids(*reads[:30]))
    assert len(await rig.at(100.9)) == 30
    assert counted("held_back") - before == 40
    rig.open_now = reads[:35]
    assert sorted(await rig.at(101.0)) == sorted(ids(*reads[:35]))
    assert counted("held_back") - before == 40


async def test_a_message_of_more_images_than_there_is_room_for_is_told_of_in_parts() -> None:
    """
    The rest of its images come first once there is room; none comes twice.
    """
    read = delivery()
    rig = Rig([read], decode=lambda read: images(read, 5), per_minute=3)
    wanted = [provisional_id(each.id) for each in images(read, 5)]

    assert await rig.at(30.0) == wanted[:3]
    assert await rig.at(91.0) == wanted


async def test_more_than_one_look_decodes_are_all_told_of() -> None:
    """
    A look is short, so that calls leave on time; the next one follows at once.
    """
    reads = [delivery(offset=each) for each in range(2 * AT_ONCE + 1)]

    assert len(await Rig(reads).at(30.0)) == len(reads)


def refuses(_: Delivery) -> Decoded:
    raise Undecodable("unrecognised", "no format")


def breaks(_: Delivery) -> Decoded:
    raise RuntimeError


@pytest.mark.parametrize("decode", [refuses, breaks, lambda _: Ignored("removal")])
async def test_what_has_no_image_that_can_be_named_gets_none(decode: Callable[[Delivery], Decoded]) -> None:
    """
    It becomes a dead letter, or is ignored, or is held with a reason in readiness: none of them is an image in review.
    """
    assert await Rig([delivery()], decode=decode).at(30.0) == []


async def test_what_the_review_topic_refuses_is_counted_and_not_sent_again() -> None:
    """
    Its verdict is still to come, and is held where it is refused too.
    """
    before = counted("refused")
    rig = Rig([delivery()])
    rig.kafka.refuses["moderation.review"] = OutcomeRefused("TOPIC_AUTHORIZATION_FAILED", too_large=False)

    assert await rig.at(30.0) == []
    assert await rig.at(60.0) == []
    assert len(rig.kafka.begun) == 1
    assert counted("refused") - before == 1


async def test_one_that_is_too_large_for_its_topic_is_written_in_part() -> None:
    """
    As a verdict is.
    """
    read = delivery()
    rig = Rig([read])
    rig.kafka.refuses["moderation.review"] = OutcomeRefused("MESSAGE_TOO_LARGE", too_large=True)

    assert await rig.at(30.0) == ids(read)


async def test_a_bug_in_it_is_counted_and_stops_nothing() -> None:
    """
    What is only said besides must not take the service down, nor the others of the same look.
    """
    before = counted("failed")
    rig = Rig([delivery(offset=1), delivery(offset=2)])
    rig.kafka.failure = RuntimeError("boom")

    assert await rig.at(30.0) == []
    assert counted("failed") - before == 2


async def test_while_kafka_takes_nothing_no_more_is_sent_to_it() -> None:
    """
    A look waits for what the one before has sent; a stop gives that its moment and does not cut it off.
    """
    reads = [delivery(offset=each) for each in range(3 * AT_ONCE)]
    rig = Rig(reads)
    rig.clock.time = START + 30.0
    rig.kafka.open.clear()

    async with rig.provisionals.running():
        while len(rig.kafka.begun) < AT_ONCE:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(rig.kafka.begun) == AT_ONCE
        rig.open_now = []
        asyncio.get_running_loop().call_soon(rig.kafka.open.set)

    assert len(rig.kafka.outcomes) == AT_ONCE


async def test_a_verdict_that_cannot_be_written_whole_is_written_in_part() -> None:
    """
    As that of any image: what an event brings must not keep people from looking at it.
    """

    def broken(read: Delivery) -> Decoded:
        return [replace(submission(read), attrs=None)]  # type: ignore[arg-type]

    rig = Rig([delivery()], decode=broken)

    assert len(await rig.at(30.0)) == 1
    assert rig.kafka.values[0]["attrs"] is None


def test_the_ids_are_apart_from_those_of_outcomes() -> None:
    """
    Those of a provisional verdict and of its image's verdict are never the same, nor are two of two images.
    """
    named: Mapping[str, str] = {each.id: provisional_id(each.id) for each in images(delivery(), 16)}

    assert len({*named.keys(), *named.values()}) == 32
