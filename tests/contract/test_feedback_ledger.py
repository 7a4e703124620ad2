"""The ledger of feedback on a real Kafka: votes in, calls out, and what a kill between a call and its line repeats."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from consumer.clock import SystemClock
from consumer.config.bindings import Binding
from consumer.config.kafka import KafkaSettings
from consumer.feedback import About, Line, Sent
from consumer.feedback.ledger import Follower, LedgerTopic, LedgerWriter
from consumer.feedback.lines import read
from consumer.feedback.quorum import Quorum
from consumer.feedback.sending import Ledger, Pace, Sending
from consumer.feedback.told import Telling
from consumer.intake.decode.bindings import Bindings
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from tests.feedback.building import vote
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all

BINDING = Binding(bucket="ugc", via="url", url="https://cdn.example.com/{key}?v={version}")
KEYRING = Keyring({"k1": b"x" * 32}, "k1")


@dataclass
class Provider:
    """Takes everything, and says when it has taken something."""

    told: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, suggestion: str, scenes: Sequence[str], url: str) -> str | None:
        self.told.append(f"{suggestion} {','.join(scenes)} {url}")
        self.changed.set()
        return "R"


class Killed:
    """A ledger that a process does not come to write: it is killed before."""

    async def write(self, line: Line) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def ledger(kafka: KafkaCluster, topic: str) -> AsyncIterator[tuple[KafkaSettings, LedgerTopic, LedgerWriter]]:
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, group_id=topic, topics=("uploads",))
    named = LedgerTopic(topic=topic, group=topic, keyring=KEYRING)
    async with LedgerWriter.opened(named, KafkaAccess(settings), SystemClock()) as writer:
        yield settings, named, writer


@asynccontextmanager
async def following(settings: KafkaSettings, named: LedgerTopic, provider: Provider, to: Ledger) -> AsyncIterator[None]:
    sending = Sending(
        telling=Telling(Bindings([BINDING]), {"porn": ("pornographic_*",)}, 2),
        provider=provider,
        ledger=to,
        clock=SystemClock(),
        pace=Pace(20.0),
    )
    follower = Follower(named, settings, KafkaAccess(settings), sending, lambda: Quorum(2, 1_000), 20.0)
    task = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.3)


async def lines(kafka: KafkaCluster, topic: str) -> list[Line]:
    return [read(record.value) for record in await read_all(kafka.bootstrap_servers, topic)]


@pytest.fixture
async def made(kafka: KafkaCluster, topic: str) -> str:
    await kafka.create_topic(topic, partitions=4)
    return topic


@pytest.mark.kafka
async def test_two_reviewers_are_one_call_whatever_is_killed(kafka: KafkaCluster, made: str) -> None:
    """
    Votes of two reviewers make one call. A process that is killed between the call and its line makes that call once
    more, and no other one; after the line nobody makes it again. A stranger's votes, without the service's seal, count
    nowhere.
    """
    first, second, third = Provider(), Provider(), Provider()
    async with ledger(kafka, made) as (settings, named, writer):
        for reviewer in ("a", "b", "b"):
            await writer.write(vote(reviewer))
        await writer.write(vote("a", about=About("uploads", 0, 8, "0")))
        stranger = LedgerTopic(topic=made, group=made, keyring=Keyring({})).written(
            vote("b", about=About("uploads", 0, 8, "0"))
        )
        await publish(kafka.bootstrap_servers, made, [NewRecord(stranger.value, stranger.key)])

        async with following(settings, named, first, Killed()), asyncio.timeout(30):
            await first.changed.wait()

        async def is_written() -> bool:
            return any(isinstance(line, Sent) for line in await lines(kafka, made))

        async with following(settings, named, second, writer):
            await until(is_written)

        async with following(settings, named, third, writer):  # an image more, so that it is known to be at work
            for reviewer in ("a", "b"):
                await writer.write(vote(reviewer, "approve", about=About("uploads", 0, 9, "0")))
            async with asyncio.timeout(30):
                await third.changed.wait()

    url = "https://cdn.example.com/a/b%20c.jpg?v=v1"
    assert first.told == second.told == [f"block porn {url}"]
    assert third.told == [f"pass porn {url}"]
