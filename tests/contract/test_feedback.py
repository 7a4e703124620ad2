"""From reviewers' decisions to what the provider's 1.0 service says of similar images, on a real Kafka."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from consumer.background import LoopEnded
from consumer.clock import SystemClock
from consumer.commands.feedback.ledger import lines, written
from consumer.commands.feedback.running import open_feedback
from consumer.commands.feedback.sending import ProviderAccess
from consumer.config import Config
from consumer.config.bindings import Binding
from consumer.config.feedback import FeedbackSettings
from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.errors import Misconfigured
from tests.emulator.scan.asking import ask, said, tasks
from tests.emulator.scan.drawing import drawing, file_of
from tests.reviews.desk import Desk
from tests.reviews.made import verdict
from tests.rig.kafka import KafkaCluster

pytestmark = pytest.mark.kafka

ENVIRONMENT = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": EmulatorSettings().access_key_id,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": EmulatorSettings().access_key_secret.get_secret_value(),
}
SETTINGS = EmulatorSettings(
    oss={
        "later": {
            "similar.jpg": file_of(drawing(1).resize((200, 200)), quality=60),
            "another.jpg": file_of(drawing(2)),
        }
    }
)


class TellingDesk(Desk):
    """A `feedback` that tells an emulator what two reviewers agree on."""

    async def set_up_feedback(self, emulator: Emulator, images: str, **settings: Any) -> None:
        await self.set_up()
        ledger = f"{self.group}-ledger"
        await self.kafka.create_topic(ledger, partitions=2, replication=1)
        given = {"topic": ledger, "enabled": True, "scenes": {"porn": ["por*"]}, "endpoint": emulator.url, **settings}
        self.config = self.config.model_copy(
            update={
                "feedback": FeedbackSettings.model_validate(given),
                "bindings": (Binding(bucket="ugc", via="url", url=f"{images}{{key}}"),),
            }
        )

    @contextlib.asynccontextmanager
    async def telling(self, *, dry_run: bool = False) -> AsyncIterator[None]:
        stop = asyncio.Event()
        access = ProviderAccess.of(self.config, ENVIRONMENT, dry_run=dry_run)
        async with open_feedback(self.config, self.keyring, SystemClock(), (), access) as service:
            task = asyncio.create_task(service.run(stop))
            try:
                yield
            finally:
                stop.set()
                await task

    async def ledger(self) -> list[dict[str, Any]]:
        found = await lines(self.config, self.keyring)
        return [orjson.loads(each) for each in written(found, as_json=True, not_sent=True)]

    async def until_told(self, many: int = 1) -> list[dict[str, Any]]:
        async with asyncio.timeout(60):
            while len(found := await self.ledger()) < many:
                await asyncio.sleep(0.3)
        return found


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The reviewed image, where the binding has it."""

    async def image(_: web.Request) -> web.Response:
        return web.Response(body=file_of(drawing(1)), content_type="image/jpeg")

    app = web.Application()
    app.router.add_get("/{key}", image)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def suggested(emulator: Emulator) -> list[str]:
    answered = await ask(
        emulator.endpoint, "scan", tasks("oss://later/similar.jpg", "oss://later/another.jpg", scenes=("porn",))
    )
    return [said(each)["porn"] for each in answered["data"]]


async def test_what_two_reviewers_remove_is_blocked_when_something_like_it_comes(
    kafka: KafkaCluster, topic: str
) -> None:
    """
    Each reviewer's decision becomes a final verdict. After the first one the provider knows nothing; after the second
    it is told once, and the next similar image is blocked by the 1.0 service, while another one passes. A restart tells
    it nothing again. A reviewer who approves afterwards is named by `feedback ledger`.
    """
    desk = TellingDesk(kafka, topic)
    async with running(SETTINGS) as emulator, served() as images:
        await desk.set_up_feedback(emulator, images)
        passed, at = await desk.put(verdict(1, level="low", group=topic))
        alone, alone_at = await desk.put(verdict(2, group=topic))
        before = await suggested(emulator)
        async with desk.telling():
            await desk.decide(passed, at, "remove", reviewer="r-1", feedback="propose", labels_confirmed=["porn"])
            await desk.decide(alone, alone_at, "remove", reviewer="r-1", feedback="propose")
            people = await desk.until(lambda people, _: len(people) == 2)
            assert (await desk.ledger(), len(emulator.feedback)) == ([], 0)
            await desk.decide(passed, at, "remove", reviewer="r-2", feedback="propose", labels_confirmed=["porn"])
            (sent,) = await desk.until_told()
        async with desk.telling():
            await desk.decide(passed, at, "approve", reviewer="r-3")
            async with asyncio.timeout(60):
                while not (last := await desk.ledger())[0]["contradicted_by"]:
                    await asyncio.sleep(0.3)
        after = await suggested(emulator)

    assert {each["decision"] for each in people} == {"block"}
    assert (sent["suggestion"], sent["scenes"], sent["reviewers"]) == ("block", ["porn"], ["r-1", "r-2"])
    assert sent["url"] == f"{images}a.jpg"
    assert (before, after) == (["pass", "pass"], ["block", "pass"])
    assert [each["contradicted_by"] for each in last] == [["r-3"]]
    assert len(emulator.feedback) == 1
    assert await desk.dead() == []


async def test_a_dry_run_tells_the_provider_nothing(kafka: KafkaCluster, topic: str) -> None:
    """With `--dry-run` votes are written and final verdicts published; a run without it then tells the provider."""
    desk = TellingDesk(kafka, topic)
    async with running(SETTINGS) as emulator, served() as images:
        await desk.set_up_feedback(emulator, images, quorum=1)
        blocked, at = await desk.put(verdict(1, group=topic))
        async with desk.telling(dry_run=True):
            await desk.decide(blocked, at, "remove", feedback="propose")
            await desk.until(lambda people, _: len(people) == 1)
        during = (await desk.ledger(), len(emulator.feedback))
        async with desk.telling():
            await desk.until_told()

        assert during == ([], 0)
        assert len(emulator.feedback) == 1


def test_a_dry_run_of_what_is_off_is_refused() -> None:
    """`--dry-run` without `feedback.enabled` would show nothing, and says so."""
    with pytest.raises(Misconfigured, match=r"feedback\.enabled is false"):
        ProviderAccess.of(Config(), ENVIRONMENT, dry_run=True)
    assert ProviderAccess.of(Config(), {}, dry_run=False) is None


@pytest.mark.parametrize("name", ["following people's decisions", "feedback"])
async def test_a_loop_of_feedback_that_has_ended_stops_it(kafka: KafkaCluster, topic: str, name: str) -> None:
    """
    Decisions are not taken any more as if nothing were missing.
    """
    desk = TellingDesk(kafka, topic)
    async with running(SETTINGS) as emulator:
        await desk.set_up_feedback(emulator, "http://127.0.0.1:1/")

        async def ends() -> None:
            async with desk.telling():
                [loop] = [each for each in asyncio.all_tasks() if each.get_name() == name]
                loop.cancel()
                await asyncio.wait([loop])

        with pytest.raises(LoopEnded, match=name):
            await ends()
