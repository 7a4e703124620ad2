"""People's decisions on a real Kafka: what becomes of them, and of machines' verdicts that come later."""

import asyncio
from collections.abc import Callable

import pytest

from consumer.clock import SystemClock
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.reviews import memory
from consumer.reviews.floors import Floors
from consumer.reviews.following import Following
from consumer.reviews.lookup import groupless
from consumer.reviews.review import VerdictAt
from tests.reviews.broken import BrokenMemory
from tests.reviews.desk import Desk
from tests.reviews.made import remembered, verdict
from tests.rig.kafka import KafkaCluster

pytestmark = pytest.mark.kafka

SAME, OTHER = "a" * 64, "b" * 64


async def test_a_decision_becomes_the_verdict_that_counts_and_holds_for_the_same_content(
    kafka: KafkaCluster, topic: str
) -> None:
    """
    Approved is passed, in the place of the block. A machine that blocks the same bytes later is contradicted, after a
    restart too; what is uploaded under the same name with other bytes stays blocked, and so does what a pinned
    rule blocks.
    """
    desk = Desk(kafka, topic)
    await desk.set_up()
    blocked, at = await desk.put(verdict(1, group=topic, sha256=SAME))
    async with desk.running():
        await desk.decide(blocked, at, "approve", labels_rejected=["porn"])
        first = (await desk.until(lambda people, _: len(people) == 1))[0]
        again, _ = await desk.put(verdict(2, group=topic, sha256=SAME))
        await desk.put(verdict(3, group=topic, sha256=OTHER))
        await desk.put(verdict(4, "terror", group=topic, sha256=SAME))
        assert (await desk.until(lambda people, _: len(people) == 2))[1]["supersedes"] == again
    assert (first["decision"], first["supersedes"], first["sequence"], first["cause"]) == ("pass", blocked, 2, "human")
    assert first["review"]["reviewer"] == "r-1"
    assert first["review"]["labels_rejected"] == ["porn"]

    async with desk.running():
        await desk.put(verdict(5, group=topic, sha256=SAME))
        people = await desk.until(lambda people, _: len(people) >= 3)
    assert [(each["event"]["offset"], each["decision"]) for each in people] == [(1, "pass"), (2, "pass"), (5, "pass")]
    assert await desk.dead() == []


async def test_what_cannot_be_taken_is_a_dead_letter_with_its_reason(kafka: KafkaCluster, topic: str) -> None:
    """
    A verdict that is gone, another one's id, a verdict that somebody else wrote, a floor without a lead's word, a word
    of somebody who is no lead, and what is no decision: none has a verdict, each has a dead letter. A lead's word goes
    below the floor; an escalation changes nothing; of two decisions about one verdict both have one.
    """
    desk = Desk(kafka, topic, leads=("lead",))
    await desk.set_up()
    blocked, at = await desk.put(verdict(1, group=topic))
    pinned, pinned_at = await desk.put(verdict(2, "terror", group=topic))
    (forged,) = await desk.write(at.topic, b'{"verdict_id":"f"}', b"k", [("source_group", topic.encode())])
    async with desk.running():
        await desk.decide(blocked, at._replace(offset=at.offset + 1_000), "approve")
        await desk.decide(blocked, pinned_at, "approve")
        await desk.decide("f", VerdictAt(at.topic, forged.partition, forged.offset), "approve")
        await desk.decide(pinned, pinned_at, "approve")
        await desk.decide(pinned, pinned_at, "approve", override_pin=True)
        await desk.write(desk.config.reviews.topic, b"{", b"k")
        await desk.decide(blocked, at, "escalate")
        await desk.decide(pinned, pinned_at, "approve", override_pin=True, reviewer="lead")
        await desk.decide(blocked, at, "approve")
        await desk.decide(blocked, at, "remove")
        people = await desk.until(lambda people, dead: len(people) == 3 and len(dead) == 6)
    assert await desk.dead() == [
        "below_floor", "not_a_lead", "not_json", "unknown_verdict", "wrong_verdict", "wrong_verdict",
    ]  # fmt: skip
    assert [(each["event"]["offset"], each["decision"], each["sequence"]) for each in people] == [
        (1, "pass", 2), (1, "block", 2), (2, "pass", 2),
    ]  # fmt: skip
    assert people[2]["review"]["overrides"] == "never"


async def test_what_could_not_be_taken_into_memory_is_read_again(kafka: KafkaCluster, topic: str) -> None:
    """
    A bug in remembering leaves no hole: verdicts wait and readiness says so, and once it is gone all is remembered.
    """
    desk = Desk(kafka, topic, Keyring({}))
    await desk.set_up()
    access, held = KafkaAccess(desk.config.kafka), BrokenMemory(1_000, 1e12)

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await asyncio.sleep(0.05)

    async with groupless(access, 1_000_000) as consumer:
        following = Following(
            consumer=consumer, access=access, settings=desk.config.reviews, memory=held, floors=Floors(),
            keyring=Keyring({}), clock=SystemClock(),
        )  # fmt: skip
        async with following.followed():
            held.error = KeyError("x")
            for n in range(20):
                await desk.write(desk.config.reviews.people, memory.written(remembered(float(n))), b"%d" % n)
            await until(lambda: bool(following.degraded()))
            [said] = following.degraded()
            held.error = None
            await until(lambda: len(held) == 20 and not following.degraded())

    assert "cannot be read (KeyError)" in said
