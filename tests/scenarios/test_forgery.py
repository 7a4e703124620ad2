"""Who may write to the outputs and is not the service."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from consumer.journal.signatures import Keyring
from consumer.records import Delivery
from tests.rig.forgery import KINDS, LETTERS, Forger
from tests.rig.kafka import publish, read_all
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage

KEY = b"k" * 32
EVENTS = 4 * len(KINDS)  # uploads, each with its forgery
FAR = "2100-01-01T00:00:00Z"


def identity(folder: Path, **changes: Any) -> dict[str, Any]:
    """The section of a service that signs with its one key."""
    (folder / "key").write_bytes(KEY + b"\n")
    return {"sign": "k1", "keys": {"k1": str(folder / "key")}, **changes}


async def uploads_of(stage: Stage) -> Sequence[Delivery]:
    """What any producer, or whoever can read the topic, knows of it."""
    return [
        Delivery(
            topic=record.topic, partition=record.partition, offset=record.offset, timestamp=record.timestamp / 1000,
            key=record.key, value=record.value, headers=(), received=0.0,
        )
        for record in await read_all(stage.kafka.bootstrap_servers, stage.uploads)
    ]  # fmt: skip


async def forge(stage: Stage) -> None:
    """Write one forgery for every upload that there is."""
    forger = Forger(stage.name, stage.outputs, Keyring({"k1": KEY}, "k1"))
    for about in await uploads_of(stage):
        number = int((about.key or b"").rpartition(b"_")[2])
        topic, record = forger.forge(number, about, f"event-{number}")
        await publish(stage.kafka.bootstrap_servers, topic, [record])


@pytest.mark.scenario
async def test_no_forged_outcome_keeps_an_image_from_being_judged(stage: Stage, tmp_path: Path) -> None:
    """
    Whoever may write to the outputs can name any message in a record there. With a key the service asks about every
    image all the same, and says that somebody else writes.
    """
    await stage.upload(EVENTS)
    await forge(stage)
    async with QuickProvider.start(latency=0.05) as provider:
        config = stage.config(provider.endpoint, identity=identity(tmp_path))
        async with Replica.started(tmp_path, config) as replica:
            await replica.until_metric("moderation_verdicts_total", at_least=EVENTS)
            refused = await replica.metric("moderation_outcomes_not_believed_total")
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert len(set(asked)) == len(asked) == EVENTS
    assert refused >= EVENTS
    assert "outcome.not_believed" in replica.log.read_text()


@pytest.mark.scenario
async def test_without_a_key_the_service_says_whom_it_believes(stage: Stage, tmp_path: Path) -> None:
    """
    Then a record that names a message and its outcome counts as one, as the log says at the start; but a dead letter
    counts as no verdict.
    """
    letters = EVENTS * len(LETTERS) // len(KINDS)
    await stage.upload(EVENTS)
    await forge(stage)
    async with QuickProvider.start(latency=0.05) as provider:
        async with Replica.started(tmp_path, stage.config(provider.endpoint)) as replica:
            await replica.until_metric("moderation_verdicts_total", at_least=letters)
            await replica.until_metric("moderation_journal_saved_total", at_least=EVENTS - letters)
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert len(asked) == letters
    assert "identity.none" in replica.log.read_text()


LATENCY, PUBLISHING = 0.2, 0.3  # seconds of a call, and at the most from its answer to its topic


@pytest.mark.scenario
async def test_signed_outcomes_are_the_journal_as_unsigned_ones_were(stage: Stage, tmp_path: Path) -> None:
    """
    A group that introduces its key in the middle of its work pays and publishes nothing twice: not after a crash of a
    replica without the key, nor of one with it.
    """
    events, in_flight, seen, lost = 600, 0, 0, set[str]()
    await stage.upload(events)
    async with QuickProvider.start(latency=LATENCY) as provider:
        settings: dict[str, Any] = {
            "kafka": {"commit_interval": 2.0}, "quota": {"qps": 100}, "provider": {"max_in_flight": 16}
        }  # fmt: skip
        accepting = identity(tmp_path, accept_unsigned_until=FAR)
        for name, section, until in (
            ("unsigned", {}, 100),
            ("reads", {**accepting, "sign": None}, 100),
            ("signs", accepting, 100),
        ):
            config = stage.config(provider.endpoint, **settings, identity=section)
            async with Replica.started(tmp_path, config, name=name) as replica:
                await replica.until_metric("moderation_verdicts_total", at_least=until)
                replica.kill()
                await replica.ended()
            arrivals, published = await provider.arrivals(), set(await stage.verdict_ids())
            unpublished = [each for each in arrivals[seen:] if each.data_id not in published]
            in_flight += len(unpublished)
            lost |= {each.data_id for each in unpublished}
            # The calls under way at the kill, and answers on their way to their topic: none that is older.
            assert arrivals[-1].at - min(each.at for each in unpublished) < LATENCY + PUBLISHING
            seen = len(arrivals)
        config = stage.config(provider.endpoint, **settings, identity=accepting)
        async with Replica.started(tmp_path, config, name="last") as last:
            ids = await stage.until(lambda ids: len(set(ids)) >= events)
            saved, refused = (
                await last.metric("moderation_journal_saved_total"),
                await last.metric("moderation_outcomes_not_believed_total"),
            )
        asked = [arrival.data_id for arrival in await provider.arrivals()]

    assert len(ids) == len(set(ids)) == events
    assert {name for name, times in Counter(asked).items() if times > 1} <= lost
    assert len(asked) - events <= in_flight
    assert saved > 0
    assert refused == 0
