"""`feedback` as processes, killed while it takes people's decisions."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from consumer.journal.signatures import Keyring
from tests.reviews.desk import Desk
from tests.reviews.made import review, verdict
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.replica import Replica


@pytest.mark.scenario
@pytest.mark.kafka
async def test_a_kill_of_feedback_loses_no_decision_and_publishes_none_twice(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    300 decisions, one replica killed in the middle, another one goes on: each has one verdict, and what contradicts
    them later is answered once each.
    """
    desk = Desk(kafka, topic, Keyring({}))
    await desk.set_up()
    decisions = 300
    placed = [await desk.put(verdict(n, group=topic, sha256=f"{n:064}")) for n in range(decisions)]
    settings, reviews = desk.config.kafka, desk.config.reviews
    config = {
        "kafka": {
            "bootstrap_servers": settings.bootstrap_servers, "group_id": topic, "topics": [topic],
            "outputs": settings.outputs.model_dump(by_alias=True), "session_timeout": 6.0, "heartbeat_interval": 0.3,
            "commit_interval": 2.0, "rebalance_timeout": 30.0,
        },
        "reviews": {"topic": reviews.topic, "people": reviews.people, "group_id": reviews.group_id},
    }  # fmt: skip
    records = [
        NewRecord(review(name, at, "approve" if n % 2 else "escalate" if n % 10 == 0 else "remove"), key=b"%d" % n)
        for n, (name, at) in enumerate(placed)
    ]
    escalated = decisions // 10
    async with Replica.started(tmp_path, config, name="first", command="feedback") as first:
        await publish(kafka.bootstrap_servers, reviews.topic, records)
        async with asyncio.timeout(60):
            while len(await desk.people()) < 20:
                await asyncio.sleep(0.02)
        first.kill()
        await first.ended()
    assert len(await desk.people()) < decisions - escalated
    async with Replica.started(tmp_path, config, name="second", command="feedback") as second:
        await desk.until(lambda people, _: len({each["supersedes"] for each in people}) >= decisions - escalated)
        for n in (1, 3):
            await desk.put(verdict(1_000 + n, group=topic, sha256=f"{n:064}"))
        people = await desk.until(lambda people, _: len(people) >= decisions - escalated + 2)
        second.terminate()
        assert await second.ended() == 0
    counted = Counter(each["supersedes"] for each in await desk.people())
    assert set(counted.values()) == {1}
    assert len(counted) == decisions - escalated + 2
    assert {each["decision"] for each in people} == {"pass", "block"}
    assert await desk.dead() == []
