import asyncio
import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.emulator import EmulatorSettings, running
from consumer.emulator.buckets import etag_of, version_of
from tests.images.stores.serving import S3Like, refusal, serving
from tests.rig.emulated import KEY, REGION
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish
from tests.rig.pictures import picture
from tests.rig.replica import Replica
from tests.rig.s3 import make_bucket, notification, put, s3_client
from tests.rig.stage import Stage

IMAGE, OTHER = picture("red", "PNG", (8, 8)), picture("blue", "PNG", (8, 8))
RED_IS_HIGH = [
    {"match": {"average_colour": "red"}, "labels": [{"label": "violent_bloody", "risk_level": "high"}]},
]
AMAZON = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


def config(stage: Stage, endpoint: str, store: str) -> dict[str, Any]:
    settings = stage.config(endpoint, stores={"ugc-s3": {"type": "s3", "endpoint": store}})
    settings["bindings"] = [
        {"bucket": bucket, "via": "upload", "store": "ugc-s3"} for bucket in ("versioned", "plain", "rewritten")
    ]
    return settings


@pytest.mark.scenario
async def test_objects_of_private_buckets_are_judged_as_their_events_say(
    stage: Stage, tmp_path: Path, moto: str
) -> None:
    """
    By version where there is one, else by ETag: one that was written again is not judged in the other's place. The
    verdict has digest, version and ETag; the key is that of Amazon's usual variables.
    """
    with s3_client(moto, "AKID", "secret") as client:
        make_bucket(client, "versioned", versions=True)
        make_bucket(client, "plain")
        make_bucket(client, "rewritten")
        versioned = put(client, "versioned", "a+b.png", IMAGE)
        put(client, "versioned", "a+b.png", OTHER)
        plain = put(client, "plain", "c.png", IMAGE)
        rewritten = put(client, "rewritten", "d.png", IMAGE)
        put(client, "rewritten", "d.png", OTHER)
    events = [
        notification("versioned", {**versioned, "key": "a%2Bb.png"}),
        notification("plain", plain),
        notification("rewritten", rewritten),
    ]
    async with running(EmulatorSettings(qps=1_000)) as emulator:
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        async with Replica.started(tmp_path, config(stage, emulator.url, moto), environment={**KEY, **AMAZON}):
            await stage.until(lambda ids: len(ids) >= len(events))
        billed = sum(call.billed for call in emulator.calls)
    outcomes = await stage.outcomes()

    judged = {verdict["image"]["ref"]["bucket"]: verdict["image"] for verdict in outcomes["pass"]}
    digest = hashlib.sha256(IMAGE).hexdigest()
    shown = {
        name: (image["ref"]["key"], image["sha256"], image["version"], image["etag"]) for name, image in judged.items()
    }
    assert shown == {
        "versioned": ("a+b.png", digest, versioned["versionId"], versioned["eTag"]),
        "plain": ("c.png", digest, None, plain["eTag"]),
    }
    errors = [verdict["error"] for verdict in outcomes["review"]]
    assert [(error["class"], error["code"]) for error in errors] == [("fetch", "changed")]
    assert billed == 2


@pytest.mark.scenario
async def test_while_a_store_refuses_the_key_its_images_wait(stage: Stage, tmp_path: Path) -> None:
    """
    Readiness names the store and its word; once the key is taken again they are judged, and none went to review.
    """
    store = S3Like({("plain", f"{n}.png"): IMAGE for n in range(5)})
    refusals = [refusal(403, "InvalidAccessKeyId")] * 1_000
    store.answers = list(refusals)
    keys = tmp_path / "keys"
    keys.mkdir()
    for name, text in (
        ("access-key-id", "AKIDEXAMPLE"),
        ("access-key-secret", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ):
        (keys / name).write_text(text)
    (keys / "security-token").write_text("token+/==")
    async with serving(store), running(EmulatorSettings(qps=1_000)) as emulator:
        settings = config(stage, emulator.url, store.url)
        settings["stores"]["ugc-s3"] |= {"key_files": str(keys), "region": "eu-west-1"}
        events = [notification("plain", {"key": f"{n}.png"}) for n in range(5)]
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        async with Replica.started(tmp_path, settings, environment=KEY) as replica:
            async with asyncio.timeout(30):
                while not store.targets:  # until it serves, nobody answers its probes
                    await asyncio.sleep(0.1)
                while (
                    "store ugc-s3 refuses this service its bucket plain (InvalidAccessKeyId)"
                    not in (await replica.readiness())[1]
                ):
                    await asyncio.sleep(0.1)
            store.answers = []
            await stage.until(lambda ids: len(ids) >= 5)
            async with asyncio.timeout(30):
                while (await replica.readiness())[0] != 200:
                    await asyncio.sleep(0.1)
    outcomes = await stage.outcomes()

    assert len(outcomes["pass"]) == 5
    assert outcomes["review"] == []


def told_of(bucket: str, key: str, data: bytes) -> NewRecord:
    """What a bucket's owner is told of a new object, as OSS has it: with its ETag, and of no version."""
    event = {
        "eventName": "ObjectCreated:PutObject", "eventSource": "acs:oss", "eventTime": "2026-11-20T10:00:00.000Z",
        "eventVersion": "1.0", "region": REGION,
        "oss": {"bucket": {"name": bucket}, "object": {"key": key, "size": len(data), "eTag": etag_of(data)}},
    }  # fmt: skip
    return NewRecord(orjson.dumps({"events": [event]}), key=bucket.encode())


@pytest.mark.scenario
async def test_objects_of_a_private_bucket_of_the_vendors_are_judged(stage: Stage, tmp_path: Path) -> None:
    """
    Its store verifies what is signed. While it is a wrong key, the images wait and readiness names the store's word for
    it; with the right one each is read by ETag or version, uploaded and judged, and none went to review for that.
    """
    objects = {"a b+测.png": IMAGE, "other.png": OTHER}
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "access-key-id").write_text(KEY["ALIBABA_CLOUD_ACCESS_KEY_ID"])
    (keys / "access-key-secret").write_text("wrong")
    ref = {"store": "oss", "bucket": "ugc-private", "key": "other.png", "region": REGION, "version": version_of(OTHER)}
    events = [
        told_of("ugc-private", "a b+测.png", IMAGE),
        NewRecord(upload("by-version", images=[{"id": "0", "ref": ref}]), key=b"by-version"),
        told_of("ugc-private", "other.png", IMAGE),
    ]
    async with running(EmulatorSettings(qps=1_000, oss={"ugc-private": objects}, rules=RED_IS_HIGH)) as emulator:
        store = {"type": "oss", "endpoint": emulator.url, "region": REGION, "key_files": str(keys)}
        settings = stage.config(emulator.url, stores={"ugc-oss": store})
        settings["bindings"] = [{"bucket": "ugc-private", "via": "upload", "store": "ugc-oss"}]
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        async with Replica.started(tmp_path, settings, environment=KEY) as replica:
            refused = "store ugc-oss refuses this service its bucket ugc-private (SignatureDoesNotMatch)"
            async with asyncio.timeout(30):
                while not any(call.action == "GetObject" for call in emulator.calls):
                    await asyncio.sleep(0.1)
                while refused not in (await replica.readiness())[1]:
                    await asyncio.sleep(0.1)
            while_refused = await stage.verdict_ids()
            (keys / "access-key-secret").write_text(KEY["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
            await stage.until(lambda ids: len(ids) >= len(events))
        uploaded = sum(call.action == "PutObject" for call in emulator.calls)
        billed = sum(call.billed for call in emulator.calls)
    outcomes = await stage.outcomes()

    assert while_refused == []
    judged = {each["image"]["ref"]["key"]: each["image"] for name in ("block", "pass") for each in outcomes[name]}
    assert {key: (image["sha256"], image["version"]) for key, image in judged.items()} == {
        "a b+测.png": (hashlib.sha256(IMAGE).hexdigest(), None),
        "other.png": (hashlib.sha256(OTHER).hexdigest(), version_of(OTHER)),
    }
    assert [verdict["image"]["ref"]["key"] for verdict in outcomes["block"]] == ["a b+测.png"]
    errors = [(verdict["error"]["class"], verdict["error"]["code"]) for verdict in outcomes["review"]]
    assert errors == [("fetch", "changed")]
    assert (uploaded, billed) == (2, 2)
