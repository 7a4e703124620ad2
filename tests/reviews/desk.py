"""The topics of one group, its verdicts, people's decisions about them, and a running `feedback`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

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
from tests.reviews.made import review
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all

SIGNS = Keyring({"k": b"k" * 32}, "k")


class Desk:
    """See the module."""

    def __init__(self, kafka: KafkaCluster, name: str, keyring: Keyring = SIGNS, **reviews: Any) -> None:
        self.kafka = kafka
        self.group = name
        self.keyring = keyring
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
        headers = list(record.headers)
        if self.keyring.signs:
            headers.append((HEADER, self.keyring.sign(claim, 1.0, None)))
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
