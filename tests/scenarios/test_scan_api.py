"""The whole service on the 1.0 API, beside itself on 2.0."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.emulator import running
from tests.alibaba.scan.test_client import COLOURS, SETTINGS
from tests.emulator.imagehost import ImageHost, serving
from tests.rig.emulated import KEY
from tests.rig.events import upload
from tests.rig.kafka import KafkaCluster, NewRecord, publish
from tests.rig.outcomes import DECISIONS
from tests.rig.pictures import picture
from tests.rig.replica import Replica
from tests.rig.stage import Stage

QPS = 20  # images a second
REST = [f"rest-{number}" for number in range(3 * QPS)]
FILES = {f"/{colour}.png": picture(colour) for colour in COLOURS} | {f"/{name}.png": picture("white") for name in REST}
NAMES = [name.removeprefix("/").removesuffix(".png") for name in FILES]
WANTED = {name: COLOURS.get(name, "pass") for name in NAMES}


def event(number: int, bucket: str, name: str) -> NewRecord:
    image = {"id": "0", "ref": {"store": "s3", "bucket": bucket, "key": f"{name}.png"}}
    return NewRecord(upload(f"event-{number}", images=[image]), key=f"shop-eu|{number}".encode())


def config(stage: Stage, api: str, endpoint: str, host: ImageHost) -> dict[str, Any]:
    """One bucket's objects are the provider's to fetch, the other's are uploaded."""
    settings = stage.config(
        endpoint, oss={"buckets": []}, images={"allow": {"networks": ["127.0.0.1"]}}, quota={"qps": QPS}
    )  # fmt: skip
    settings["provider"]["api"] = api
    url = f"{host.url}/{{key}}"
    settings["bindings"] = [
        {"bucket": "public", "via": "url", "url": url}, {"bucket": "private", "via": "upload", "url": url},
    ]  # fmt: skip
    return settings


async def decided(stage: Stage) -> dict[tuple[str, str], dict[str, Any]]:
    """Each object's verdict."""
    outcomes = await stage.outcomes()
    assert outcomes["dead_letter"] == []
    verdicts = [verdict for decision in DECISIONS for verdict in outcomes[decision]]
    refs = [(verdict["image"]["ref"]["bucket"], verdict["image"]["ref"]["key"][:-4]) for verdict in verdicts]
    assert len(set(refs)) == len(refs)
    return dict(zip(refs, verdicts, strict=True))


@pytest.mark.scenario
async def test_one_policy_decides_alike_by_both_apis_through_a_real_kafka(kafka: KafkaCluster, tmp_path: Path) -> None:
    """
    By URL and by upload. The 1.0 API sees no more images in a second than it takes, and charges for what is counted.
    """
    places = [("public", name) for name in NAMES] + [("private", name) for name in COLOURS]
    seen: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    settings = SETTINGS.model_copy(update={"scan_images": QPS, "qps": QPS})
    for api in ("image-moderation-2.0", "scan-1.0"):
        stage = Stage(kafka, f"both-{api}")
        await stage.set_up()
        async with serving(FILES) as host, running(settings) as emulator:
            records = [event(number, *place) for number, place in enumerate(places)]
            await publish(kafka.bootstrap_servers, stage.uploads, records)
            folder = tmp_path / api
            folder.mkdir()
            async with Replica.started(folder, config(stage, api, emulator.url, host), environment=KEY) as replica:
                await stage.until(lambda ids: len(ids) >= len(places))
                throttled = await replica.metric("moderation_call_failures_total", kind="throttle")
                billed = await replica.metric("moderation_calls_billed_total")
            seen[api] = await decided(stage)
            charged = orjson.loads(orjson.dumps(emulator.stats()))["billed"]
        assert (throttled, billed) == (0, charged)

    old, new = seen["scan-1.0"], seen["image-moderation-2.0"]
    assert {place: verdict["decision"] for place, verdict in old.items()} == {
        (bucket, name): WANTED[name] for bucket, name in places
    }
    assert {place: each["decision"] for place, each in old.items()} == {
        place: each["decision"] for place, each in new.items()
    }
    for verdict in old.values():
        assert (verdict["provider"]["name"], verdict["provider"]["billed_calls"]) == ("aliyun-scan-1.0", 3)
        assert verdict["asked"]["services"] == ["scan-1.0"]
        assert {finding["label"].split(":")[1] for finding in verdict["findings"]} == {"porn", "terrorism", "ad"}
