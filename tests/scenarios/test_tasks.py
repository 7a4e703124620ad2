"""The 1.0 API, asked asynchronously: a task is paid for once, whoever learns its result."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from consumer.demo.image_server import serving_images
from consumer.emulator import Emulator, EmulatorSettings, running
from tests.rig.emulated import KEY
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish, read_all
from tests.rig.pictures import picture
from tests.rig.replica import Replica
from tests.rig.stage import Stage

SEED = "a_seed_of_ours"
RULES = [{"match": {"average_colour": "red"}, "labels": [{"label": "violent_bloody", "risk_level": "high"}]}]
SCENES = ["porn", "terrorism"]
KEY_OF_OUTCOMES = b"k" * 32


@asynccontextmanager
async def provider(**settings: object) -> AsyncIterator[tuple[Emulator, str]]:
    """An emulator that finds red images bloody, and where two images are."""
    images = {"red.png": picture("red", "PNG", (8, 8)), "blue.png": picture("blue", "PNG", (8, 8))}
    values = {"qps": 1_000, "scan_images": 1_000, "rules": RULES, "callback_pause": 0.2, **settings}
    async with running(EmulatorSettings.model_validate(values)) as emulator, serving_images(images) as url:
        yield emulator, url


def config_of(stage: Stage, emulator: Emulator, folder: Path, **scan: object) -> dict[str, Any]:
    key = folder / "outcomes.key"
    key.write_bytes(KEY_OF_OUTCOMES)
    return {
        **stage.config(
            f"http://{emulator.endpoint}",
            provider={"api": "scan-1.0"},
            quota={"qps": 100},
            identity={"keys": {"k1": str(key)}, "sign": "k1"},
            scan={"scenes": SCENES, "tasks_topic": f"{stage.name}.tasks", "poll_interval": 0.5, **scan},
        ),
        "oss": {},
    }  # fmt: skip


async def upload_images(stage: Stage, urls: Sequence[str], name: str = "event") -> None:
    """Publish an event for each URL, with keys of their own."""
    events = [
        NewRecord(upload(f"{name}-{number}", url), key=f"shop-eu|{name}_{number}".encode())
        for number, url in enumerate(urls)
    ]
    await publish(stage.kafka.bootstrap_servers, stage.uploads, events)


def submitted(emulator: Emulator) -> Counter[str]:
    """How often each image was given to the provider, which bills its scenes each time."""
    return Counter(task.data_id or "" for call in emulator.calls for task in call.tasks)


@pytest.mark.scenario
@pytest.mark.parametrize("way", ["sync", "polling", "callback"])
async def test_an_image_has_one_verdict_however_its_answer_comes(stage: Stage, tmp_path: Path, way: str) -> None:
    """
    In its call, by polling or by polling after a callback: the same decision and findings, and billed once in each.
    """
    await stage.kafka.create_topic(f"{stage.name}.tasks", partitions=1)
    scan: dict[str, object] = {"mode": "sync" if way == "sync" else "async"}
    if way == "callback":
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (tmp_path / "seed").write_text(f"{SEED}\n")
        scan |= {
            "poll_interval": 30.0,  # without a callback nothing is looked for before the test ends
            "callback": {
                "url": f"http://127.0.0.1:{port}/callback", "port": port, "uid": "1000000000000001",
                "seed_file": str(tmp_path / "seed"),
            },
        }  # fmt: skip
    async with provider(scan_pending=0, scan_seconds=0.3, latency=0.05) as (emulator, images):
        await upload_images(stage, [f"{images}/red.png", f"{images}/blue.png"] * 3)
        async with Replica.started(tmp_path, config_of(stage, emulator, tmp_path, **scan), environment=KEY) as replica:
            ids = await stage.until(lambda ids: len(ids) >= 6, timeout=25.0)
            opened = await replica.metric("moderation_scan_tasks_total", outcome="opened")
            woken = await replica.metric("moderation_scan_callbacks_total", outcome="woke")
    outcomes = await stage.outcomes()

    assert len(ids) == len(set(ids)) == 6
    assert len(outcomes["block"]) == len(outcomes["pass"]) == 3
    for verdict in outcomes["block"]:
        found = [(each["label"], each["level"]) for each in verdict["findings"] if each["level"] == "high"]
        assert found == [("v1:terrorism:bloody", "high")]
        assert verdict["provider"]["billed_calls"] == len(SCENES)
        assert verdict["provider"]["name"] == "aliyun-scan-1.0"
    assert sorted(submitted(emulator).values()) == [1] * 6
    written = await read_all(stage.kafka.bootstrap_servers, f"{stage.name}.tasks")
    assert len(written) == opened == (0 if way == "sync" else 6)
    assert woken == (6 if way == "callback" else 0)


@pytest.mark.scenario
async def test_a_crash_while_results_are_awaited_pays_for_nothing_again(stage: Stage, tmp_path: Path) -> None:
    """
    After a SIGKILL the next owner looks for the results of what was paid for: no image is lost, none has two verdicts,
    and paid for twice is at most what had no task yet, though hundreds of tasks were open.
    """
    events = 300
    await stage.kafka.create_topic(f"{stage.name}.tasks", partitions=2)
    async with provider(scan_pending=0, scan_seconds=8.0, latency=0.05) as (emulator, images):
        config = config_of(stage, emulator, tmp_path, mode="async")
        await upload_images(stage, [f"{images}/red.png", f"{images}/blue.png"] * (events // 2))
        async with Replica.started(tmp_path, config, name="first", environment=KEY) as first:
            async with asyncio.timeout(60):
                while len(submitted(emulator)) < 200:
                    await asyncio.sleep(0.02)
            first.kill()
            await first.ended()
        async with Replica.started(tmp_path, config, name="second", environment=KEY) as second:
            ids = await stage.until(lambda ids: len(set(ids)) >= events)
            taken_over = await second.metric("moderation_scan_tasks_total", outcome="taken_over")
            in_vain = await second.metric("moderation_scan_tasks_total", outcome="in_vain")
        billed = submitted(emulator)
    outcomes = await stage.outcomes()

    assert len(ids) == len(set(ids)) == events
    assert len(outcomes["block"]) == len(outcomes["pass"]) == events // 2
    assert len(billed) == events
    twice = sum(billed.values()) - events
    assert twice <= 64  # calls at once: what had been sent, and was not written down
    assert taken_over >= 200 - 64
    assert in_vain == 0
    print({"events": events, "taken_over": taken_over, "paid_twice": twice})
