"""What `check` says of stores."""

from pathlib import Path
from typing import Any

import pytest

from consumer.clock import SystemClock
from consumer.commands.check.findings import Finding
from consumer.commands.check.stores import look_at_stores
from consumer.config import Config
from consumer.emulator import EmulatorSettings, running
from tests.images.stores.serving import IMAGE, KEY, S3Like, answer, refusal, serving

LIST = b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"


async def looked_at(endpoint: str, key_files: Path, **more: Any) -> list[Finding]:
    stores = {"a": {"type": "s3", "endpoint": endpoint, "region": "eu-west-1", "key_files": key_files}, **more}
    bindings = [{"bucket": "photos", "prefix": prefix, "via": "upload", "store": "a"} for prefix in ("x", "y")]
    config = Config.model_validate({"stores": stores, "bindings": bindings})
    return await look_at_stores(config, {}, SystemClock())


@pytest.fixture
def key_files(tmp_path: Path) -> Path:
    (tmp_path / "access-key-id").write_text(KEY.id)
    (tmp_path / "access-key-secret").write_text(KEY.secret)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "level", "says"),
    [
        (answer(LIST), "ok", "photos is there, and the key is accepted"),
        (refusal(403, "AccessDenied"), "ok", "photos: the key is accepted and may not list the bucket, as is best"),
        (refusal(404, "NoSuchBucket"), "wrong", "photos: NoSuchBucket: there is no such bucket"),
        (refusal(403, "InvalidAccessKeyId"), "wrong", "the store does not know the key: see key_files"),
        (refusal(403, "SignatureDoesNotMatch"), "wrong", "the secret is not the key's"),
        (refusal(403, "RequestTimeTooSkewed"), "wrong", "this machine's clock is wrong"),
        (refusal(301, "PermanentRedirect"), "wrong", "the bucket is in another region"),
        (refusal(503, "SlowDown"), "wrong", "http_503: the store a answers SlowDown"),
    ],
)
async def test_each_answer_says_what_to_do(key_files: Path, given: bytes, level: str, says: str) -> None:
    """
    One line for each bucket of a store, whatever the bindings of its prefixes are.
    """
    async with serving(S3Like(None, given)) as store:
        [found] = await looked_at(store.url, key_files)

    assert (found.level, found.about) == (level, "store a")
    assert says in found.text


async def test_a_store_that_is_away_is_told(key_files: Path) -> None:
    """
    With its host.
    """
    async with serving(S3Like()) as store:
        url = store.url
    [found] = await looked_at(url, key_files)

    assert found.level == "wrong"
    assert "photos: connect: 127.0.0.1: connection refused" in found.text


async def test_a_store_that_no_binding_names_is_told(key_files: Path) -> None:
    """
    It is never read; nothing is asked of it.
    """
    async with serving(S3Like(None, answer(LIST))) as store:
        unnamed, _ = await looked_at(store.url, key_files, left={"type": "s3", "region": "eu-west-1"})

    assert (unnamed.level, unnamed.about) == ("warning", "store left")


async def test_a_store_without_tls_is_told(key_files: Path) -> None:
    """
    On another machine, where that is allowed.
    """
    binding = {"bucket": "photos", "via": "upload", "store": "a"}
    store = {"type": "s3", "endpoint": "http://minio.invalid", "allow_clear_text": True, "key_files": key_files}

    found = await look_at_stores(
        Config.model_validate({"stores": {"a": store}, "bindings": [binding]}), {}, SystemClock()
    )

    assert [each.level for each in found] == ["warning", "wrong"]
    assert "is read over the network without TLS" in found[0].text


async def test_a_key_that_cannot_be_read_is_refused_as_run_refuses_it(tmp_path: Path) -> None:
    """
    With the file that is missing.
    """
    found = await looked_at("http://127.0.0.1:1", tmp_path)

    assert [each.refused for each in found] == [True, True]
    assert f"stores.a: {tmp_path}/access-key-id: cannot be read" in found[0].text


@pytest.mark.parametrize(
    ("changes", "key", "level", "says"),
    [
        ({}, {}, "ok", "photos is there, and the key is accepted"),
        ({}, {"access-key-id": "unknown"}, "wrong", "photos: InvalidAccessKeyId: the store does not know the key"),
        ({}, {"access-key-secret": "wrong"}, "wrong", "photos: SignatureDoesNotMatch: the secret is not the key's"),
        ({}, {"security-token": "another"}, "wrong", "photos: InvalidSecurityToken: "),
        ({"region": "eu-west-1"}, {}, "wrong", "photos: InvalidArgument: if it says so of every object, the region is"),
        ({"bucket": "other"}, {}, "wrong", "other: NoSuchBucket: there is no such bucket"),
    ],
)
async def test_a_store_of_the_vendors_is_asked_as_well(
    tmp_path: Path, changes: dict[str, str], key: dict[str, str], level: str, says: str
) -> None:
    """
    By a list that is signed for it, which the emulator verifies.
    """
    emulated = EmulatorSettings(oss={"photos": {"a.png": IMAGE}})
    account = {
        "access-key-id": emulated.access_key_id,
        "access-key-secret": emulated.access_key_secret.get_secret_value(),
    }
    for name, text in {**account, **key}.items():
        (tmp_path / name).write_text(text)
    async with running(emulated) as emulator:
        store = {"type": "oss", "endpoint": emulator.url, "region": changes.get("region", "ap-southeast-1")}
        binding = {"bucket": changes.get("bucket", "photos"), "via": "upload", "store": "a"}
        config = Config.model_validate({"stores": {"a": {**store, "key_files": tmp_path}}, "bindings": [binding]})
        [found] = await look_at_stores(config, {}, SystemClock())
        [call] = emulator.calls

    assert (found.level, found.about, call.action) == (level, "store a", "ListObjectsV2")
    assert says in found.text
