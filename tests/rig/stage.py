"""What a scenario plays on: topics of its own, uploads in them, and what came out in the end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tests.rig.events import upload
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all
from tests.rig.outcomes import DECISIONS

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Stage:
    """Topics and group of one scenario on a real Kafka."""

    kafka: KafkaCluster
    name: str

    @property
    def uploads(self) -> str:
        return f"{self.name}.uploads"

    @property
    def outputs(self) -> dict[str, str]:
        return {**{each: f"{self.name}.{each}" for each in DECISIONS}, "dead_letter": f"{self.name}.dead"}

    async def set_up(self, partitions: int = PARTITIONS) -> None:
        """Create the topics."""
        for topic in (self.uploads, *self.outputs.values()):
            await self.kafka.create_topic(topic, partitions=partitions)

    def config(self, endpoint: str, **changes: dict[str, Any]) -> dict[str, Any]:
        """A configuration of the service for this stage; `changes` are merged into its sections."""
        config: dict[str, Any] = {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers, "group_id": self.name, "topics": [self.uploads],
                "outputs": self.outputs, "session_timeout": 6.0, "heartbeat_interval": 0.3,
            },
            "provider": {"endpoint": endpoint},
            "oss": {"buckets": ["ugc"]},
        }  # fmt: skip
        for section, settings in changes.items():
            config[section] = {**config.get(section, {}), **settings}
        return config

    async def upload(self, count: int, *, url: str = "https://img.example.com/{n}.jpg", first: int = 0) -> None:
        """Publish events of one image each, with keys of their own."""
        await publish(
            self.kafka.bootstrap_servers,
            self.uploads,
            [
                NewRecord(upload(f"event-{n}", url.format(n=n)), key=f"shop-eu|u_{n}".encode())
                for n in range(first, first + count)
            ],
        )

    async def outcomes(self) -> dict[str, list[dict[str, Any]]]:
        """Every verdict by its decision, in the order of their topics, and dead letters as they are."""
        read = {outcome: await read_all(self.kafka.bootstrap_servers, topic) for outcome, topic in self.outputs.items()}
        return {
            outcome: [
                {"value": record.value} if outcome == "dead_letter" else orjson.loads(record.value)
                for record in records
            ]
            for outcome, records in read.items()
        }

    async def verdict_ids(self) -> list[str]:
        """The ids of all verdicts but provisional ones, repeated ones as often as they stand there."""
        outcomes = await self.outcomes()
        verdicts = (verdict for name in DECISIONS for verdict in outcomes[name])
        return [verdict["verdict_id"] for verdict in verdicts if not verdict["provisional"]]

    async def until(self, holds: Callable[[list[str]], bool], timeout: float = 60.0) -> list[str]:
        """Return the verdict ids once they satisfy `holds`."""
        ids: list[str] = []
        try:
            async with asyncio.timeout(timeout):
                while not holds(ids := await self.verdict_ids()):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"after {timeout} s there were {len(ids)} verdicts") from None
        return ids
