"""People's decisions on a real Kafka: what becomes of them, and of machines' verdicts that come later."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from consumer.clock import SystemClock
from consumer.commands.feedback.running import open_feedback
from consumer.config import Config
from consumer.config.operation import HealthSettings
from consumer.config.reviews import ReviewSettings
from consumer.journal.headers import OF_VERDICT, Source
from consumer.journal.signatures import HEADER, Claim, Keyring
from consumer.records import Verdict
from consumer.reviews.review import VerdictAt
from consumer.verdicts.encode import Encoding
from tests.contract.reading import kafka_settings
from tests.reviews.made import review, verdict
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all

pytestmark = pytest.mark.kafka

SAME, OTHER = "a" * 64, "b" * 64


class Desk:
    """The topics of one group, a key that signs, and a running `feedback`."""

    def __init__(self, kafka: KafkaCluster, name: str, **reviews: Any) -> None:
        self.kafka = kafka
        self.group = name
        self.keyring = Keyring({"k": b"k" * 32}, "k")
        given = {"topic": f"{name}-decisions", "people": f"{name}-people", "group_id": f"{name}-feedback", **reviews}
        self.config = Config(
            kafka=kafka_settings(kafka, name),
            reviews=ReviewSettings(**given),
            health=HealthSettings(host="127.0.0.1", port=0, metrics_port=0),
        )

    async def set_up(self) -> None:
        reviews = self.config.reviews
        for each in (reviews.topic, *self.config.kafka.outputs.all):
            await self.kafka.create_topic(each, partitions=2, replication=1)
        await self.kafka.create_topic(
            reviews.people, partitions=2, replication=1, configs={"cleanup.policy": "compact,delete"}
        )

    async def put(self, made: Verdict) -> tuple[str, VerdictAt]:
        """Publish a verdict as the service does, and return its id and place."""
        record = Encoding(group=self.group).verdict(made)
        topic = self.config.kafka.outputs.by_decision[made.decision]
        read = made.submission.delivery
        source = Source(made.submission.id, read.topic_partition, read.offset)
        claim = Claim(self.group, OF_VERDICT, source, topic, record.key, record.value)
        headers = [*record.headers, (HEADER, self.keyring.sign(claim, 1.0, None))]
        (stored,) = await self.write(topic, record.value, record.key, headers)
        return made.submission.id, VerdictAt(topic, stored.partition, stored.offset)

    async def write(self, topic: str, value: bytes | None, key: bytes | None, headers: Any = ()) -> Any:
        return await publish(self.kafka.bootstrap_servers, topic, [NewRecord(value, key=key, headers=headers)])

    async def decide(self, verdict_id: str, at: VerdictAt, decision: str, **members: Any) -> None:
        await self.write(self.config.reviews.topic, review(verdict_id, at, decision, **members), b"k")

    async def people(self) -> list[Any]:
        """People's verdicts, in the order of their decisions."""
        found = [
            orjson.loads(record.value)
            for topic in self.config.kafka.outputs.by_decision.values()
            for record in await read_all(self.kafka.bootstrap_servers, topic)
        ]
        return sorted(
            (each for each in found if each.get("decided_by") == "human"),
            key=lambda each: (each["event"]["offset"], each["sequence"], each["review"]["offset"]),
        )

    async def dead(self) -> list[str]:
        """Why decisions are dead letters."""
        letters = await read_all(self.kafka.bootstrap_servers, self.config.kafka.outputs.dead_letter)
        return sorted(dict(each.headers)["dlq_reason"].decode() for each in letters)

    async def until(self, there: Callable[[list[Any], list[str]], bool]) -> list[Any]:
        """Wait for people's verdicts and dead letters."""
        async with asyncio.timeout(60):
            while not there(people := await self.people(), await self.dead()):
                await asyncio.sleep(0.1)
        return people

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with open_feedback(self.config, self.keyring, SystemClock()) as service:
            task = asyncio.create_task(service.run(stop))
            try:
                yield
            finally:
                stop.set()
                await task


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
