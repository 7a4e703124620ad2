"""Batches that cannot be read, and records at the edges of what a batch can say, through the whole service."""

from pathlib import Path

import orjson
import pytest

from tests.rig.emulated import KEY, emulated
from tests.rig.events import upload
from tests.rig.kafka import read_all
from tests.rig.kafka.batches import CODECS, RawRecord, Segment, batch, produce
from tests.rig.kafka.waiting import until
from tests.rig.replica import Replica
from tests.rig.stage import Stage

BOMB = 150_000_000  # bytes unpacked
LIMIT = 350 * 2**20  # bytes: what the service takes at rest, and what a bomb may add with room to spare


def event(n: int, *headers: tuple[bytes, bytes | None]) -> RawRecord:
    return RawRecord(upload(f"event-{n}", f"https://img.example.com/{n}.jpg"), b"k%d" % n, headers)


def peak(replica: Replica) -> int:
    """Bytes of memory that the process has had at most."""
    status = Path(f"/proc/{replica.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.scenario
async def test_batches_of_every_kind_leave_their_neighbours_alone(stage: Stage, tmp_path: Path) -> None:
    """
    Odd names, odd timestamps, ten thousand headers, a bomb of each codec and a damaged batch: every good image is
    judged, each bomb is one dead letter, the damaged batch holds its partition alone and is passed when it is named.
    """
    kafka, n = stage.kafka, 0
    for partition in range(4):
        for codec in range(5):
            odd = event(n + 1, (b"k\xff\xfe", b"v"), (b"", None))
            wide = event(n + 2, *((b"h%d" % each, b"") for each in range(10_000 if codec == 4 else 1)))
            timestamp = (-1, 0, 1, 1_763_632_800_000, 1_000)[codec]
            content = batch([event(n), odd, wide], codec=codec, timestamp=timestamp)
            await produce(kafka, stage.uploads, content, partition)
            n += 3
    for codec in (1, 3, 4):  # a bomb of snappy is larger than the topic takes
        await produce(
            kafka, stage.uploads, batch([RawRecord(b" " * BOMB), RawRecord(b"small")], codec=codec), codec % 4
        )
    await produce(kafka, stage.uploads, batch([RawRecord(b"no event", headers=[(b"bad\xff", b"1")])]), 1)
    await produce(kafka, stage.uploads, batch([event(900), RawRecord(b"$good$")]), 2)
    await produce(kafka, stage.uploads, batch([event(n)]), 2)
    Segment(kafka, stage.uploads, 2).change(b"$good$", b"$evil$")

    async with emulated([], faults=({"what": {"code": 406}},)) as emulator:
        config = stage.config(emulator.url, quota={"qps": 400}, provider={"max_in_flight": 200})
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await stage.until(lambda ids: len(ids) >= n, timeout=60)
            await replica.until_metric("moderation_partitions_held", at_least=1)
            _, ready = await replica.readiness()
            used = peak(replica)
            replica.terminate()
            assert await replica.ended() == 0
        config["kafka"]["skip_damaged"] = [f"{stage.uploads}/2@15"]
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await stage.until(lambda ids: len(ids) >= n + 1, timeout=60)

            async def letters() -> bool:
                return len(await read_all(kafka.bootstrap_servers, stage.outputs["dead_letter"])) >= 5

            await until(letters)
            replica.terminate()
            assert await replica.ended() == 0

    ids = await stage.verdict_ids()
    read = [
        {name: (value or b"").decode() for name, value in letter.headers}
        for letter in await read_all(kafka.bootstrap_servers, stage.outputs["dead_letter"])
    ]
    assert len(ids) == len(set(ids)) == n + 1
    assert f"degraded: kafka: {stage.uploads}/2 is held at offset 15" in ready
    assert sorted(each["dlq_reason"] for each in read) == ["batch_damaged", *["batch_too_large"] * 3, "not_json"]
    bombs = [each for each in read if each["dlq_reason"] == "batch_too_large"]
    assert sorted(each["dlq_codec"] for each in bombs) == sorted([CODECS[1], CODECS[3], CODECS[4]])
    assert all(int(each["dlq_last_offset"]) == int(each["dlq_first_offset"]) + 1 for each in bombs)
    (named,) = [each for each in read if each["dlq_reason"] == "not_json"]
    assert orjson.loads(named["dlq_escaped_headers"]) == ["bad%FF"]
    assert used < LIMIT, used / 2**20
