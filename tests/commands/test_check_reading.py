"""`check` reads what lies in the topics, and says in words what it could not read."""

import time
from pathlib import Path

import pytest

from consumer.emulator import EmulatorSettings, running
from tests.commands.test_check import checked, provider, topics
from tests.rig.kafka import KafkaCluster, committed
from tests.rig.kafka.batches import CODECS, RawRecord, Segment, batch, produce

pytestmark = pytest.mark.kafka


async def test_a_record_of_each_topic_is_read_and_nothing_is_committed(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    Whatever its codec; the group stays empty.
    """
    section = await topics(kafka, topic)
    for codec, name in enumerate((topic, f"{topic}.block", f"{topic}.review", f"{topic}.pass", f"{topic}.dead_letter")):
        await produce(kafka, name, batch([RawRecord(CODECS[codec].encode())], codec=codec))

    async with running(EmulatorSettings()) as emulator:
        ended = await checked(tmp_path, {"kafka": section, "provider": provider(emulator)})

    assert "the last ones of" in ended.output
    line = next(line for line in ended.output.splitlines() if "the last ones of" in line)
    assert line.startswith("ok"), ended.output
    assert all(f"{topic}{output}" in ended.output for output in ("", ".block", ".review", ".pass", ".dead_letter"))
    assert not await committed(kafka.bootstrap_servers, topic)


async def test_a_damaged_batch_is_named_with_its_place_and_the_way_on(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    """
    In an input and in an output.
    """
    section = await topics(kafka, topic)
    for name in (topic, f"{topic}.pass"):
        await produce(kafka, name, batch([RawRecord(b"$good$")]))
        Segment(kafka, name).change(b"$good$", b"$evil$")

    async with running(EmulatorSettings()) as emulator:
        ended = await checked(tmp_path, {"kafka": section, "provider": provider(emulator)})

    assert ended.status == 1
    flowing = " ".join(ended.output.split())
    assert f"{topic}/0 at offset 0: its batch is damaged (its checksum is wrong)" in flowing
    assert f"kafka.skip_damaged to [{topic}/0@0]" in flowing
    assert f"{topic}.pass/0 at offset 0: its batch is damaged" in flowing


async def test_a_batch_beyond_the_bound_is_named(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    It is a dead letter to come, so nothing is wrong.
    """
    section = await topics(kafka, topic)
    await produce(kafka, topic, batch([RawRecord(b" " * 2_000_000)], codec=4, timestamp=round(time.time() * 1000)))

    async with running(EmulatorSettings()) as emulator:
        config = {"kafka": {**section, "max_batch_bytes": 1_000_000}, "provider": provider(emulator)}
        ended = await checked(tmp_path, config)

    assert f"{topic}/0 at offset 0: a batch of more than 1000000 bytes unpacked (zstd)" in " ".join(
        ended.output.split()
    )
    assert ended.status == 0, ended.output
