"""`feedback` as processes that tell the provider what reviewers agree on, killed and joined by others meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.feedback.sending import AT_ONCE
from consumer.journal.signatures import Keyring
from consumer.reviews.review import VerdictAt
from tests.contract.test_feedback import ENVIRONMENT, TellingDesk
from tests.emulator.imagehost import serving
from tests.emulator.scan.drawing import drawing, file_of
from tests.reviews.made import review, verdict
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.link import HOST, Link
from tests.rig.replica import Replica
from tests.scenarios.test_brokers import moving

pytestmark = [pytest.mark.scenario, pytest.mark.kafka]

SLOW = {"match": {"action": "ImageScanFeedback"}, "what": {"latency": 1.0}}
"""The image is in the provider's library, and the answer comes a second later."""


def config_of(desk: TellingDesk, **kafka: Any) -> dict[str, Any]:
    settings, reviews, feedback = desk.config.kafka, desk.config.reviews, desk.config.feedback
    return {
        "kafka": {
            "bootstrap_servers": settings.bootstrap_servers, "group_id": desk.group, "topics": [desk.group],
            "outputs": settings.outputs.model_dump(by_alias=True), "session_timeout": 6.0, "heartbeat_interval": 0.3,
            "rebalance_timeout": 30.0, **kafka,
        },
        "reviews": reviews.model_dump(include={"topic", "people", "group_id", "remove_by_name"}),
        "feedback": feedback.model_dump(include={"topic", "enabled", "quorum", "scenes", "endpoint"}),
        "bindings": [each.model_dump(include={"bucket", "via", "url"}) for each in desk.config.bindings],
        "oss": {},
    }  # fmt: skip


def told(emulator: Emulator) -> Counter[str]:
    """How often the provider was told of each image."""
    return Counter(said.image.rpartition("/")[2] for said in emulator.feedback)


async def until(holds: Callable[[], bool], timeout: float = 60.0) -> None:
    async with asyncio.timeout(timeout):
        while not holds():
            await asyncio.sleep(0.01)


async def decided(desk: TellingDesk, names: list[str], reviewers: int = 2) -> None:
    """Reviewers remove an image of each name, and propose that the provider is told."""
    placed = [await desk.put(verdict(n, group=desk.group, name=name)) for n, name in enumerate(names)]
    records = [
        NewRecord(review(name, at, "remove", reviewer=f"r-{reviewer}", feedback="propose"), key=b"%d" % n)
        for reviewer in range(reviewers)
        for n, (name, at) in enumerate(placed)
    ]
    await publish(desk.kafka.bootstrap_servers, desk.config.reviews.topic, records)


async def test_a_kill_between_a_call_and_its_line_repeats_no_more_than_was_in_flight(
    topic: str, tmp_path: Path
) -> None:
    """
    The provider has learnt and answered, and no line of that reaches the ledger: the process is killed there. The next
    one makes those calls again and no others, and every image is told of and written down.
    """
    names = [f"{n}.jpg" for n in range(24)]
    files = {f"/{name}": file_of(drawing(n)) for n, name in enumerate(names)}
    async with (
        Link.opened() as link,
        moving(link.port) as kafka,
        serving(files) as images,
        running(EmulatorSettings.model_validate({"faults": [SLOW]})) as emulator,
    ):
        link.target = kafka.bootstrap_servers_of("MOVING")
        desk = TellingDesk(kafka, topic, Keyring({}))
        await desk.set_up_feedback(emulator, f"{images.url}/")
        await decided(desk, names)
        far = config_of(desk, bootstrap_servers=f"{HOST}:{link.port}")
        async with Replica.started(tmp_path, far, name="first", command="feedback", environment=ENVIRONMENT) as first:
            await until(lambda: len(emulator.feedback) > AT_ONCE)
            link.cut()  # and never mended: what stands in it is lost
            await until(lambda: all(call.ended is not None for call in emulator.calls))
            before = told(emulator)
            first.kill()
            await first.ended()
        written = {each["url"].rpartition("/")[2] for each in await desk.ledger()}
        in_flight = before.keys() - written
        async with Replica.started(
            tmp_path, config_of(desk), name="second", command="feedback", environment=ENVIRONMENT
        ) as second:
            lines = await desk.until_told(len(names))
            await second.ready()
            second.terminate()
            assert await second.ended() == 0
        dead = await desk.dead()

    after = told(emulator)
    repeated = {name for name, times in after.items() if times > 1}
    print(f"{len(before)} told before the kill, {len(in_flight)} of them in flight, {len(repeated)} repeated")
    assert 1 <= len(in_flight) <= AT_ONCE
    assert repeated == in_flight
    assert set(after.values()) <= {1, 2}
    assert after.keys() == {*names}
    assert Counter(each["url"].rpartition("/")[2] for each in lines) == Counter(names)
    assert dead == []


async def test_two_replicas_take_each_decision_once_and_tell_of_each_image_once(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    A second process joins the group in the middle, the first one stops later: every decision has one verdict, the
    provider is told of every image once, and both have worked.
    """
    names = [f"{n}.jpg" for n in range(160)]
    files = {f"/{name}": file_of(drawing(n % 20)) for n, name in enumerate(names)}
    desk = TellingDesk(kafka, topic, Keyring({}))
    async with serving(files) as images, running(EmulatorSettings()) as emulator:
        await desk.set_up_feedback(emulator, f"{images.url}/", quorum=1)
        await decided(desk, names, reviewers=1)
        async with Replica.started(
            tmp_path, config_of(desk), name="first", command="feedback", environment=ENVIRONMENT
        ) as first:
            await until(lambda: len(emulator.feedback) >= 20)
            async with Replica.started(
                tmp_path, config_of(desk), name="second", command="feedback", environment=ENVIRONMENT
            ) as second:
                await second.ready()
                more = [f"more-{n}.jpg" for n in range(100)]
                placed = [await desk.put(verdict(1_000 + n, group=topic, name=name)) for n, name in enumerate(more)]
                records = [
                    NewRecord(review(name, at, "approve" if n % 2 else "remove"), key=b"%d" % n)
                    for n, (name, at) in enumerate(placed)
                ]
                await publish(kafka.bootstrap_servers, desk.config.reviews.topic, records)
                await desk.until(lambda people, _: len(people) >= len(names) + len(more))
                taken = [await each.metric("moderation_reviews_total", outcome="final") for each in (first, second)]
                first.terminate()
                assert await first.ended() == 0
                lines = await desk.until_told(len(names))
                second.terminate()
                assert await second.ended() == 0

    people = await desk.people()
    print(f"taken {taken}, told {sum(told(emulator).values())}")
    assert Counter(Counter(each["supersedes"] for each in people).values()) == {1: len(names) + len(more)}
    assert min(taken) > 0
    assert sum(taken) == len(names) + len(more)
    assert told(emulator) == Counter(names)
    assert len(lines) == len(names)
    assert await desk.dead() == []


async def test_a_removal_by_name_holds_for_what_comes_under_that_name_until_somebody_approves(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    With `reviews.remove_by_name` other bytes under the removed name are removed as well, and those of another name are
    not. An approval of what stands there frees the name, for this process and the next; the removed bytes stay removed.
    """
    desk = TellingDesk(kafka, topic, Keyring({}), remove_by_name=True)
    await desk.set_up()

    async def passed(n: int, content: str, name: str = "a.jpg") -> tuple[str, VerdictAt]:
        return await desk.put(verdict(n, "nonLabel", "none", group=topic, sha256=content * 64, name=name))

    async def people(many: int) -> list[tuple[int, str]]:
        found = await desk.until(lambda people, _: len(people) >= many)
        return [(each["event"]["offset"], each["decision"]) for each in found]

    config = {name: content for name, content in config_of(desk).items() if name not in ("feedback", "bindings")}
    async with Replica.started(tmp_path, config, name="first", command="feedback") as first:
        await desk.decide(*await passed(1, "a"), "remove")
        await people(1)
        other, at = await passed(2, "b")
        await passed(3, "c", "b.jpg")
        await people(2)
        await desk.decide(other, at, "approve", reviewer="r-2")
        await people(3)
        first.terminate()
        assert await first.ended() == 0
    async with Replica.started(tmp_path, config, name="second", command="feedback") as second:
        await passed(4, "d")
        await passed(5, "a", "c.jpg")
        found = await people(4)
        second.terminate()
        assert await second.ended() == 0

    assert sorted(found) == [(1, "block"), (2, "block"), (2, "pass"), (5, "block")]
    assert await desk.dead() == []
