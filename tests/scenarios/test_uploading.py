import asyncio
import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.emulator import EmulatorSettings, Fault, running
from tests.emulator.imagehost import ImageHost, serving
from tests.rig.emulated import KEY
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish
from tests.rig.pictures import picture
from tests.rig.replica import Replica
from tests.rig.stage import Stage

IMAGE = picture("red", "PNG", (8, 8))
CLAIMED = "0" * 64


def event(number: int, key: str, **more: Any) -> NewRecord:
    image = {"id": "0", "ref": {"store": "s3", "bucket": "private", "key": key}, **more}
    return NewRecord(upload(f"event-{number}", images=[image]), key=f"shop-eu|{number}".encode())


def config(stage: Stage, endpoint: str, host: ImageHost, **changes: Any) -> dict[str, Any]:
    """Objects of one bucket are uploaded, those of another are the provider's to fetch, and only else uploaded."""
    url = f"{host.url}/{{key}}"
    settings = stage.config(endpoint, images={"allow": {"networks": ["127.0.0.1"]}}, **changes)
    settings["bindings"] = [
        {"bucket": "private", "via": "upload", "url": url},
        {"bucket": "elsewhere", "via": "url", "fallback": "upload", "url": url},
    ]
    return settings


@pytest.mark.scenario
async def test_images_that_the_provider_cannot_reach_are_fetched_and_uploaded(stage: Stage, tmp_path: Path) -> None:
    """
    The verdict is about the uploaded copy, and knows its digest. What is not there, is another image or none at all,
    goes to review without a call.
    """
    files = {"/good.png": IMAGE, "/changed.png": IMAGE, "/page.png": b"<html>log in</html>"}
    async with serving(files) as host, running(EmulatorSettings(qps=1_000)) as emulator:
        events = [
            event(0, "good.png"),
            event(1, "good.png", sha256=hashlib.sha256(IMAGE).hexdigest()),
            event(2, "gone.png"),
            event(3, "changed.png", sha256=CLAIMED),
            event(4, "page.png"),
        ]
        notification = {
            "Records": [
                {
                    "eventName": "ObjectCreated:Put",
                    "eventTime": "2026-11-20T10:00:00Z",
                    "s3": {"bucket": {"name": "private"}, "object": {"key": "good.png"}},
                }
            ]
        }
        events.append(NewRecord(orjson.dumps(notification), key=b"notification"))
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        async with Replica.started(tmp_path, config(stage, emulator.url, host), environment=KEY):
            await stage.until(lambda ids: len(ids) >= len(events))
        calls = [(call.action, call.billed) for call in emulator.calls]
    outcomes = await stage.outcomes()

    passed = outcomes["pass"]
    assert len(passed) == 3
    assert {verdict["image"]["sha256"] for verdict in passed} == {hashlib.sha256(IMAGE).hexdigest()}
    assert all(verdict["image"]["ref"]["key"] == "good.png" for verdict in passed)
    errors = {verdict["image"]["ref"]["key"]: verdict["error"] for verdict in outcomes["review"]}
    assert {error.pop("service") for error in errors.values()} == {"baselineCheck_global"}
    assert errors == {
        "gone.png": {"class": "fetch", "code": "not_found"},
        "changed.png": {"class": "fetch", "code": "changed"},
        "page.png": {"class": "image", "code": "format"},
    }
    assert all(verdict["image"]["sha256"] is None for verdict in outcomes["review"])
    assert calls.count(("DescribeUploadToken", False)) == 1
    assert calls.count(("PutObject", False)) == calls.count(("ImageModeration", True)) == 3
    assert len(calls) == 7


@pytest.mark.scenario
async def test_this_service_does_not_call_its_own_network_for_an_uploader(stage: Stage, tmp_path: Path) -> None:
    """
    Without leave for the address nothing is fetched from it, and the host hears nothing.
    """
    async with serving({"/good.png": IMAGE}) as host, running(EmulatorSettings(qps=1_000)) as emulator:
        settings = config(stage, emulator.url, host)
        del settings["images"]
        await publish(stage.kafka.bootstrap_servers, stage.uploads, [event(0, "good.png")])
        async with Replica.started(tmp_path, settings, environment=KEY):
            await stage.until(lambda ids: len(ids) >= 1)
        heard = len(host.referers)
    outcomes = await stage.outcomes()

    assert [verdict["error"]["code"] for verdict in outcomes["review"]] == ["address_refused"]
    assert heard == 0


@pytest.mark.scenario
async def test_while_the_store_is_away_uploads_wait_and_others_are_judged(stage: Stage, tmp_path: Path) -> None:
    """
    None goes to review for it, and readiness names the store; afterwards each has its verdict, billed once, and so have
    those that the provider could not fetch.
    """
    async with serving({"/good.png": IMAGE}) as host, running(EmulatorSettings(qps=1_000)) as emulator:
        away = {
            "match": {"action": "PutObject"},
            "what": {"store_code": {"code": "ServiceUnavailable", "http_status": 503}},
        }
        unreachable = {"match": {"url": "*/good.png"}, "what": {"code": 404}}
        emulator.faults.add(Fault.model_validate(away))
        emulator.faults.add(Fault.model_validate(unreachable))
        elsewhere = {"id": "0", "ref": {"store": "s3", "bucket": "elsewhere", "key": "good.png"}}
        plain = {"id": "0", "url": f"{host.url}/good.png?plain"}
        events = [event(number, "good.png") for number in range(20)]
        events += [NewRecord(upload(f"else-{n}", images=[elsewhere]), key=f"else|{n}".encode()) for n in range(20)]
        events += [NewRecord(upload(f"url-{n}", images=[plain]), key=f"url|{n}".encode()) for n in range(100)]
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        async with Replica.started(tmp_path, config(stage, emulator.url, host), environment=KEY) as replica:
            during = await stage.until(lambda ids: len(ids) >= 100)
            async with asyncio.timeout(30):
                while "temporary store in ap-southeast-1" not in (await replica.readiness())[1]:
                    await asyncio.sleep(0.1)
            emulator.faults.replace([Fault.model_validate(unreachable)])
            ids = await stage.until(lambda ids: len(ids) >= 140)
            async with asyncio.timeout(30):
                while (await replica.readiness())[0] != 200:
                    await asyncio.sleep(0.1)
        billed = sum(call.billed for call in emulator.calls)
    outcomes = await stage.outcomes()

    assert len(during) == 100
    assert len(ids) == len(set(ids)) == len(outcomes["pass"]) == 140
    assert billed == 140


@pytest.mark.scenario
async def test_a_crash_in_the_middle_of_uploads_repeats_no_more_than_what_was_in_flight(
    stage: Stage, tmp_path: Path
) -> None:
    """
    After a SIGKILL every image has exactly one verdict; paid for twice is at most what was in flight. That images are
    uploaded again costs nothing.
    """
    images, in_flight = 500, 16
    large = IMAGE + bytes(200_000)
    async with serving({"/good.png": large}) as host, running(EmulatorSettings(qps=1_000, latency=0.1)) as emulator:
        settings = config(
            stage,
            emulator.url,
            host,
            kafka={"commit_interval": 2.0},
            quota={"qps": 100},
            provider={"max_in_flight": in_flight},
        )
        await publish(
            stage.kafka.bootstrap_servers, stage.uploads, [event(number, "good.png") for number in range(images)]
        )
        async with (
            Replica.started(tmp_path, settings, name="first", environment=KEY) as first,
            Replica.started(tmp_path, settings, name="second", environment=KEY) as second,
        ):
            await second.until_metric("moderation_calls_billed_total", at_least=100)
            first.kill()
            await first.ended()
            ids = await stage.until(lambda ids: len(set(ids)) >= images)
        billed = [call.data_id for call in emulator.calls if call.billed]
    outcomes = await stage.outcomes()

    assert len(ids) == len(set(ids)) == len(outcomes["pass"]) == images
    assert len(set(billed)) == images
    assert len(billed) - images <= in_flight
