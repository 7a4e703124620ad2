"""
The whole way from a private bucket of a real MinIO: it publishes what is put into it to a real Kafka by itself, the
service reads that, fetches, uploads and asks.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from botocore.exceptions import ClientError

from consumer.emulator import EmulatorSettings, running
from tests.rig.emulated import KEY
from tests.rig.go_tools import MINIO
from tests.rig.minio import QUEUE, ROOT_KEY, ROOT_SECRET, Minio, User, started
from tests.rig.pictures import picture
from tests.rig.replica import ROOT, Replica
from tests.rig.s3 import make_bucket, s3_client
from tests.rig.stage import Stage

pytestmark = pytest.mark.scenario

POLICIES = re.findall(r"```json[^\n]*\n(.*?)```", (ROOT / "docs" / "security.md").read_text(), re.DOTALL)
(LEAST,) = (json.loads(each) for each in POLICIES if "arn:aws:s3" in each)
"""The policy that the docs give for Amazon and MinIO: to read a prefix of one bucket, and not to list it."""
BUCKET, PREFIX = "ugc-private", "avatars/"
LISTING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject*", "s3:ListBucket"], "Resource": "arn:aws:s3:::*"}],
}
READER = User("moderation", "moderation-secret", LEAST)
KEYS = (
    "a.png", "a b.png", "a+b.png", "a%2Bb.png", "100%.png", "a?b#c&d=e.png", "a'(b)*!~;:@,$.png", '"a"<b>|^`{}[]\\.png',
    "相片/é/e\N{COMBINING ACUTE ACCENT}.png", "\N{FROG FACE}.png", " a .png", "a\tb.png", ".../a.png", "a" * 200,
)  # fmt: skip
REFUSED_KEYS = ("a//b.png", "a/../b.png", "a/./b.png", "a\0b.png")
WITH_A_SLASH = f"/{PREFIX}with-a-slash.png"


@pytest.fixture(scope="session")
def minio_command() -> str:
    """Raises `ToolMissing`."""
    return MINIO.command()


@pytest_asyncio.fixture
async def minio(minio_command: str, stage: Stage, tmp_path: Path) -> AsyncIterator[Minio]:
    """One that tells the stage's topic of uploads, and has a user that may do what the docs advise."""
    (tmp_path / "minio").mkdir()
    async with started(minio_command, tmp_path / "minio", stage.kafka.bootstrap_servers, stage.uploads) as minio:
        await minio.allow(READER)
        yield minio


@pytest.fixture
def s3(minio: Minio) -> Iterator[Any]:
    """Its owner's client."""
    with s3_client(minio.url, ROOT_KEY, ROOT_SECRET) as client:
        yield client


def telling_bucket(s3: Any, bucket: str, *, versions: bool = False) -> None:
    """Create a bucket that tells of new objects."""
    make_bucket(s3, bucket, versions=versions)
    told = {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]})


def images() -> Iterator[bytes]:
    """Images of which no two are the same."""
    size = 8
    while True:
        yield picture("red", "PNG", (size, 8))
        size += 1


def key_files(folder: Path, key_id: str, secret: str, token: str | None = None) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in (("access-key-id", key_id), ("access-key-secret", secret), ("security-token", token)):
        if text is not None:
            (folder / name).write_text(text)
    return str(folder)


def config(stage: Stage, endpoint: str, minio: Minio, bindings: dict[str, str], **keys: str) -> dict[str, Any]:
    """A store by name for each folder of `keys`; `bindings` are names of stores by bucket."""
    stores = {name: {"type": "s3", "endpoint": minio.url, "key_files": folder} for name, folder in keys.items()}
    settings = stage.config(endpoint, stores=stores)
    settings["bindings"] = [{"bucket": bucket, "via": "upload", "store": store} for bucket, store in bindings.items()]
    return settings


def by_key(verdicts: list[dict[str, Any]], shown: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    return {verdict["image"]["ref"]["key"]: shown(verdict) for verdict in verdicts}


async def test_what_minio_tells_is_fetched_uploaded_and_judged(
    minio: Minio, stage: Stage, tmp_path: Path, s3: Any
) -> None:
    """
    Byte for byte the object that was put under each key that MinIO takes, by the least rights and a role's temporary
    key. It refuses keys with `//`, `.`, `..` and NUL itself, and takes a slash at the beginning away.
    """
    telling_bucket(s3, BUCKET, versions=True)
    put = dict(zip((*(PREFIX + key for key in KEYS), WITH_A_SLASH), images(), strict=False))
    versions = {key: s3.put_object(Bucket=BUCKET, Key=key, Body=image)["VersionId"] for key, image in put.items()}
    for key in REFUSED_KEYS:
        with pytest.raises(ClientError, match="XMinioInvalid"):
            s3.put_object(Bucket=BUCKET, Key=PREFIX + key, Body=b"image")
    with s3_client(minio.url, READER.key_id, READER.secret, "sts") as sts:
        role = sts.assume_role(RoleArn="arn:aws:iam::1:role/any", RoleSessionName="moderation")["Credentials"]
    keys = key_files(tmp_path / "keys", role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
    async with running(EmulatorSettings(qps=1_000)) as emulator:
        settings = config(stage, emulator.url, minio, {BUCKET: "ugc"}, ugc=keys)
        async with Replica.started(tmp_path, settings, environment=KEY):
            await stage.until(lambda ids: len(ids) >= len(put))
    outcomes = await stage.outcomes()

    judged = by_key(outcomes["pass"], lambda verdict: (verdict["image"]["sha256"], verdict["image"]["version"]))
    assert judged == {
        key.removeprefix("/"): (hashlib.sha256(image).hexdigest(), versions[key]) for key, image in put.items()
    }
    assert [verdict["coverage"] for verdict in outcomes["pass"]] == [{"frames": [1, 1], "scaled": False}] * len(put)
    assert outcomes["dead_letter"] == outcomes["review"] == []


async def test_what_became_of_an_object_meanwhile_is_its_own(
    minio: Minio, stage: Stage, tmp_path: Path, s3: Any
) -> None:
    """
    Deleted, its version deleted, written again, or denied: it goes to review with that word and is not paid for. What
    was written again is judged by the event of its own; a version that is no longer the newest is judged all the same.
    """
    lister = User("lister", "lister-secret", LISTING)
    await minio.allow(lister)
    for bucket, versions in (("plain", False), ("versioned", True), (BUCKET, False)):
        telling_bucket(s3, bucket, versions=versions)
    image, again = picture("red", "PNG", (8, 8)), picture("blue", "PNG", (8, 8))
    made = {
        (bucket, key): s3.put_object(Bucket=bucket, Key=key, Body=image)
        for bucket, key in (
            ("plain", "deleted.png"), ("plain", "written-again.png"), ("versioned", "marked.png"),
            ("versioned", "deleted.png"), ("versioned", "written-again.png"), (BUCKET, PREFIX + "allowed.png"),
            (BUCKET, "elsewhere/denied.png"),
        )
    }  # fmt: skip
    s3.delete_object(Bucket="plain", Key="deleted.png")
    s3.delete_object(Bucket="versioned", Key="marked.png")
    gone = made["versioned", "deleted.png"]["VersionId"]
    s3.delete_object(Bucket="versioned", Key="deleted.png", VersionId=gone)
    for bucket in ("plain", "versioned"):
        s3.put_object(Bucket=bucket, Key="written-again.png", Body=again)
    async with running(EmulatorSettings(qps=1_000)) as emulator:
        settings = config(
            stage, emulator.url, minio, {"plain": "all", "versioned": "all", BUCKET: "ugc"},
            all=key_files(tmp_path / "lister", lister.key_id, lister.secret),
            ugc=key_files(tmp_path / "reader", READER.key_id, READER.secret),
        )  # fmt: skip
        async with Replica.started(tmp_path, settings, environment=KEY):
            await stage.until(lambda ids: len(ids) >= len(made) + 2)
        billed = sum(call.billed for call in emulator.calls)
    outcomes = await stage.outcomes()

    judged = sorted((*place(verdict), verdict["image"]["sha256"]) for verdict in outcomes["pass"])
    old, new = (hashlib.sha256(data).hexdigest() for data in (image, again))
    assert judged == sorted(
        [
            ("plain", "written-again.png", new), ("versioned", "written-again.png", old),
            ("versioned", "written-again.png", new), ("versioned", "marked.png", old),
            (BUCKET, PREFIX + "allowed.png", old),
        ]
    )  # fmt: skip
    errors = {place(verdict): (verdict["error"]["class"], verdict["error"]["code"]) for verdict in outcomes["review"]}
    assert errors == {
        ("plain", "deleted.png"): ("fetch", "not_found"),
        ("plain", "written-again.png"): ("fetch", "changed"),
        ("versioned", "deleted.png"): ("fetch", "not_found"),
        (BUCKET, "elsewhere/denied.png"): ("fetch", "denied"),
    }
    assert billed == len(judged)


def place(verdict: dict[str, Any]) -> tuple[str, str]:
    return verdict["image"]["ref"]["bucket"], verdict["image"]["ref"]["key"]


async def test_while_minio_refuses_the_secret_its_images_wait(
    minio: Minio, stage: Stage, tmp_path: Path, s3: Any
) -> None:
    """
    Readiness names the store and its word. Once the secret is right they are judged, and none went to review.
    """
    telling_bucket(s3, BUCKET)
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}{number}.png", Body=picture("red", "PNG", (8, 8)))
    keys = tmp_path / "keys"
    async with running(EmulatorSettings(qps=1_000)) as emulator:
        settings = config(
            stage, emulator.url, minio, {BUCKET: "ugc"}, ugc=key_files(keys, READER.key_id, "another-secret")
        )
        async with Replica.started(tmp_path, settings, environment=KEY) as replica:
            said = f"the store ugc refuses this service its bucket {BUCKET} (SignatureDoesNotMatch)"
            await replica.until(lambda _, text: said in text)
            waiting = await stage.verdict_ids()
            key_files(keys, READER.key_id, READER.secret)
            await stage.until(lambda ids: len(ids) >= 3)
            await replica.ready()
    outcomes = await stage.outcomes()

    assert waiting == []
    assert len(outcomes["pass"]) == 3
    assert outcomes["review"] == []
