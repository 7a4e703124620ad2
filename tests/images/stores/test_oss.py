"""
Reading from the vendor's store, as the emulator has it: it verifies each signature, and shares no code with the signer.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from consumer.clock import Clock, SystemClock
from consumer.config import Config
from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from consumer.emulator.buckets import etag_of, version_of
from consumer.errors import AccountRefused, ClockOff
from consumer.image_sources import open_stores
from consumer.images.errors import NotFetched
from consumer.images.stores.reader import StoreReader
from consumer.locations import StoredObject
from tests.images.stores.serving import read
from tests.images.stores.test_reading import ODD_KEYS
from tests.rig.clock import ManualClock
from tests.rig.emulated import KEY
from tests.rig.pictures import picture

IMAGE, OTHER = picture("red", "PNG", (8, 8)), picture("blue", "PNG", (8, 8))
REGION = "ap-southeast-1"
ID, SECRET = KEY
KEYS = [key for key in ODD_KEYS if not any(each < " " or each == "\x7f" for each in key)]  # which OSS has no objects of


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator with a private bucket."""
    objects = {"a.png": IMAGE, "b.png": OTHER, **dict.fromkeys(KEYS, IMAGE)}
    async with running(EmulatorSettings(oss={"photos": objects})) as emulator:
        yield emulator


@asynccontextmanager
async def reading(
    emulator: Emulator, region: str = REGION, clock: Clock | None = None, **key: str
) -> AsyncIterator[StoreReader]:
    """A reader of the emulator's store, as a configuration makes it; it is called ugc."""
    config = Config.model_validate(
        {
            "stores": {"ugc": {"type": "oss", "endpoint": emulator.url, "region": region}},
            "bindings": [{"bucket": "photos", "via": "upload", "store": "ugc"}],
        }
    )
    async with open_stores(config, {**KEY, **key}, clock or SystemClock()) as reader:
        yield reader


def code_of(found: bytes | NotFetched | AccountRefused) -> tuple[str, str]:
    """Whose a failure is, and its code."""
    assert not isinstance(found, bytes)
    return type(found).__name__, found.code


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_is_asked_for_byte_for_byte(emulator: Emulator, key: str) -> None:
    """
    Whatever stands in it: the object of just this key is read, and its signature is right.
    """
    async with reading(emulator) as reader:
        assert await read(reader, key) == IMAGE

    assert [(call.action, call.image, call.code) for call in emulator.calls] == [("GetObject", f"photos/{key}", "Read")]


async def test_an_object_is_the_one_of_its_event_or_none(tmp_path: Path) -> None:
    """
    By version, or by ETag as OSS writes it; what was written over is not judged in its place.
    """
    wanted: list[dict[str, Any]] = [{"version": version_of(IMAGE)}, {"etag": etag_of(IMAGE)}, {}]
    (tmp_path / "a.png").write_bytes(IMAGE)
    async with running(EmulatorSettings(oss={"photos": tmp_path})) as emulator, reading(emulator) as reader:
        before = [await read(reader, **each) for each in wanted]
        (tmp_path / "a.png").write_bytes(OTHER)
        after = [await read(reader, **each) for each in wanted]

    assert before == [IMAGE] * 3
    assert [code_of(each) for each in after[:2]] == [("NotFetched", "not_found"), ("NotFetched", "changed")]
    assert after[2] == OTHER


async def test_a_wrong_key_is_the_accounts_and_no_images(emulator: Emulator) -> None:
    """
    An unknown key, a secret or a token that is not its own, the wrong region: each stops the store, and says why.
    """
    token = {"ALIBABA_CLOUD_SECURITY_TOKEN": "another"}
    wrong: list[dict[str, Any]] = [{ID: "unknown"}, {SECRET: "wrong"}, token, {"region": "eu-west-1"}]
    found, reasons = [], []
    for each in wrong:
        async with reading(emulator, **each) as reader:
            found.append(code_of(await read(reader)))
            reasons += reader.reasons_not_ready()

    codes = ["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurityToken", "InvalidArgument"]
    assert found == [("AccountRefused", code) for code in codes]
    assert reasons == [
        f"images: the store ugc refuses this service its bucket photos ({code}) for 0 s" for code in codes
    ]


async def test_what_is_with_an_object_or_a_bucket_is_told_apart(emulator: Emulator) -> None:
    """
    An object that is not there is the image's; a bucket that is not there is the account's.
    """
    async with reading(emulator) as reader:
        assert code_of(await read(reader, "other.png")) == ("NotFetched", "not_found")
        assert code_of(await read(reader, bucket="other")) == ("AccountRefused", "NoSuchBucket")
        assert await read(reader) == IMAGE


async def test_a_clock_that_is_wrong_is_named(emulator: Emulator) -> None:
    """
    The store looks at the moment that is signed.
    """
    async with reading(emulator, clock=ManualClock(time.time() - 1_000)) as reader:
        found = await read(reader)

    assert isinstance(found, ClockOff)


async def test_one_that_fails_is_compared_with_another_of_its_bucket(emulator: Emulator) -> None:
    """
    The first of its list: the store gives that one, so the failure is the image's own.
    """
    fault = {"match": {"action": "GetObject", "object": "b.png"}, "what": {"store_code": {"code": "AccessDenied"}}}
    emulator.faults.add(Fault.model_validate(fault))
    async with reading(emulator) as reader:
        found = await read(reader, "b.png")
        gives = await reader.gives_another(StoredObject("ugc", "photos", "b.png"), is_refused=True)

    assert code_of(found) == ("AccountRefused", "AccessDenied")  # nothing was read of the bucket yet
    assert gives
    assert [call.action for call in emulator.calls] == ["GetObject", "ListObjectsV2", "GetObject"]
