"""
What the object store gives of the account's own buckets, asked with the vendor's own SDKs.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import alibabacloud_oss_v2
import oss2
import pytest
from alibabacloud_oss_v2.aio import AsyncClient
from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from alibabacloud_oss_v2.exceptions import OperationError, ServiceError
from alibabacloud_oss_v2.signer import SignerV1, SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext
from pydantic import SecretStr
from yarl import URL

from consumer.emulator import Emulator, EmulatorSettings, Fault, running
from consumer.emulator.buckets import etag_of, version_of
from tests.emulator.uploading import put, token_of
from tests.rig.pictures import picture

RED, BLUE = picture("red"), picture("blue")
ODD = "avatars/a b+c%20?#&=测~.png"
SETTINGS = EmulatorSettings(
    regions=("ap-southeast-1", "eu-west-1"),
    oss={"ugc": {"avatars/red.png": RED, "blue.png": BLUE, ODD: RED}, "empty": {}},
)
SECRET = SETTINGS.access_key_secret.get_secret_value()
GET: dict[str, Any] = {"match": {"action": "GetObject"}}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator with private buckets."""
    async with running(SETTINGS) as emulator:
        yield emulator


def configured(endpoint: str, signature: str, secret: str = SECRET, region: str = "ap-southeast-1") -> Any:
    """The newer SDK with the account's key."""
    config = alibabacloud_oss_v2.config.load_default()
    config.credentials_provider = StaticCredentialsProvider(SETTINGS.access_key_id, secret)
    config.endpoint, config.region, config.use_path_style = f"http://{endpoint}", region, True
    config.signature_version, config.retry_max_attempts = signature, 1
    return config


async def got(config: Any, **wanted: str) -> Any:
    """What the newer SDK's client reads, with its body, or the store's refusal."""
    request = alibabacloud_oss_v2.GetObjectRequest(**{"bucket": "ugc", **wanted})
    async with AsyncClient(config) as client:
        try:
            result = await client.get_object(request)
            return result, await result.body.read()
        except OperationError as error:
            refused = error.unwrap()
            assert isinstance(refused, ServiceError)
            return refused.status_code, refused.code


@pytest.mark.parametrize("signature", ["v1", "v4"])
@pytest.mark.parametrize("key", ["avatars/red.png", ODD])
async def test_a_private_object_is_read(emulator: Emulator, key: str, signature: str) -> None:
    """
    With the account's key and either signature, whatever it is called; with its ETag and the version that it has.
    """
    config = configured(emulator.endpoint, signature)

    result, body = await got(config, key=key)
    again, same = await got(config, key=key, version_id=result.version_id, if_match=result.etag)

    assert body == same == RED
    assert (result.status_code, result.etag.strip('"'), result.version_id) == (200, etag_of(RED), version_of(RED))
    assert again.version_id == result.version_id
    assert [(call.action, call.image, call.code, call.billed) for call in emulator.calls] == [
        ("GetObject", f"ugc/{key}", "Read", False)
    ] * 2


async def test_the_older_sdk_reads_too(emulator: Emulator) -> None:
    """
    Signed with V1, its slashes written as %2F, also a version.
    """
    bucket = oss2.Bucket(oss2.Auth(SETTINGS.access_key_id, SECRET), f"http://{emulator.endpoint}", "ugc")

    def read() -> list[bytes]:
        plain = bucket.get_object(ODD)
        version = bucket.get_object(ODD, params={"versionId": plain.versionid})
        return [plain.read(), version.read()]

    assert await asyncio.to_thread(read) == [RED, RED]


@pytest.mark.parametrize("signature", ["v1", "v4"])
async def test_what_is_refused_has_the_vendors_codes(emulator: Emulator, signature: str) -> None:
    """
    A secret, a bucket, a key, a version or an ETag that is not right.
    """
    right = configured(emulator.endpoint, signature)
    wrong = configured(emulator.endpoint, signature, "wrong")
    unknown = configured(emulator.endpoint, signature)
    unknown.credentials_provider = StaticCredentialsProvider("unknown", SECRET)
    token = configured(emulator.endpoint, signature)
    token.credentials_provider = StaticCredentialsProvider(SETTINGS.access_key_id, SECRET, "token")

    assert [
        await got(wrong, key="blue.png"),
        await got(unknown, key="blue.png"),
        await got(token, key="blue.png"),
        await got(right, bucket="other", key="blue.png"),
        await got(right, key="other.png"),
        await got(right, bucket="empty", key="blue.png"),
        await got(right, key="blue.png", version_id=version_of(RED)),
        await got(right, key="blue.png", if_match=f'"{etag_of(RED)}"'),
    ] == [
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidAccessKeyId"),
        (403, "InvalidSecurityToken"),
        (404, "NoSuchBucket"),
        (404, "NoSuchKey"),
        (404, "NoSuchKey"),
        (404, "NoSuchVersion"),
        (412, "PreconditionFailed"),
    ]


async def test_a_signature_is_for_its_region(emulator: Emulator) -> None:
    """
    V4 names it: that of another region is refused before anything is looked for.
    """
    london = configured(emulator.endpoint, "v4", region="eu-west-1")

    assert await got(london, key="blue.png") == (400, "InvalidArgument")
    assert (await got(configured(emulator.endpoints["eu-west-1"], "v4", region="eu-west-1"), key="blue.png"))[1] == BLUE


async def test_a_temporary_key_shows_its_token() -> None:
    """
    As with calls of the API.
    """
    async with running(SETTINGS.model_copy(update={"security_token": SecretStr("tok+/=en")})) as emulator:
        with_token = configured(emulator.endpoint, "v4")
        with_token.credentials_provider = StaticCredentialsProvider(SETTINGS.access_key_id, SECRET, "tok+/=en")

        assert (await got(with_token, key="blue.png"))[1] == BLUE
        assert await got(configured(emulator.endpoint, "v4"), key="blue.png") == (403, "InvalidSecurityToken")


async def test_what_uploads_are_signed_with_reads_nothing(emulator: Emulator) -> None:
    """
    Neither of the account's buckets nor what was uploaded with it.
    """
    token = await token_of(emulator.endpoint)
    await put(token, "a.png", RED)
    config = configured(emulator.endpoint, "v4")
    config.credentials_provider = StaticCredentialsProvider(token.key_id, token.secret, token.security_token)

    assert await got(config, key="blue.png") == (403, "InvalidAccessKeyId")
    assert await got(config, bucket=token.bucket, key=f"{token.prefix}a.png") == (403, "InvalidAccessKeyId")


async def test_a_bucket_may_be_a_folder(tmp_path: Path) -> None:
    """
    What is written over has another version, and the one before it is gone. Nothing outside of the folder is read.
    """
    bucket, file = tmp_path / "ugc", tmp_path / "ugc" / "a b" / "red.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(RED)
    (tmp_path / "secret.png").write_bytes(BLUE)
    async with running(EmulatorSettings(oss={"ugc": bucket})) as emulator:
        config = configured(emulator.endpoint, "v4")
        first, red = await got(config, key="a b/red.png")
        file.write_bytes(BLUE)
        second, blue = await got(config, key="a b/red.png")
        gone = await got(config, key="a b/red.png", version_id=first.version_id)
        _, listed = await asked(signed_get(emulator, "ugc", "", "?list-type=2&max-keys=9"))

    assert (red, blue, gone) == (RED, BLUE, (404, "NoSuchVersion"))
    assert first.version_id != second.version_id
    assert "<Contents><Key>a b/red.png</Key></Contents>" in listed
    assert "secret" not in listed


@pytest.mark.parametrize("signature", ["v1", "v4"])
async def test_a_list_says_which_keys_come_first(emulator: Emulator, signature: str) -> None:
    """
    As many as are wanted, in order, and whether there are more.
    """
    one = await asked(signed_get(emulator, "ugc", "", "?list-type=2&max-keys=1", signature))
    none = await asked(signed_get(emulator, "empty", "", "?list-type=2&max-keys=1", signature))

    assert (one[0], none[0]) == (200, 200)
    assert "<Key>avatars/a b+c%20?#&amp;=测~.png</Key>" in one[1]
    assert "<IsTruncated>true</IsTruncated>" in one[1]
    assert "<KeyCount>0</KeyCount>" in none[1]
    assert {(call.action, call.code) for call in emulator.calls} == {("ListObjectsV2", "Listed")}


@pytest.mark.parametrize(
    ("bucket", "key", "query", "status", "code"),
    [
        ("ugc", "", "?list-type=2&max-keys=0", 400, "InvalidArgument"),
        ("ugc", "", "?list-type=2&max-keys=1001", 400, "InvalidArgument"),
        ("ugc", "", "?list-type=2&max-keys=some", 400, "InvalidArgument"),
        ("ugc", "", "", 501, "NotImplemented"),
        ("ugc", "", "?acl", 501, "NotImplemented"),
        ("ugc", "blue.png", "?x-oss-process=image%2Fresize%2Cw_100", 501, "NotImplemented"),
        ("ugc", "a" * 1024, "", 400, "InvalidObjectName"),
        ("other", "", "?list-type=2", 404, "NoSuchBucket"),
    ],
)
async def test_what_it_does_not_know_it_says(
    emulator: Emulator, bucket: str, key: str, query: str, status: int, code: str
) -> None:
    """
    Parameters that it would have to pass over among them.
    """
    answered = await asked(signed_get(emulator, bucket, key, query))

    assert (answered[0], f"<Code>{code}</Code>" in answered[1]) == (status, True)


async def test_what_was_signed_long_ago_is_refused(emulator: Emulator) -> None:
    """
    Or for a moment that is far ahead.
    """
    for moment in (time.time() - 1000, time.time() + 1000):
        status, said = await asked(signed_get(emulator, "ugc", "blue.png", at=moment))

        assert (status, "<Code>RequestTimeTooSkewed</Code>" in said) == (403, True)


@pytest.mark.parametrize(
    ("what", "met"),
    [
        ({"store_code": {"code": "InternalError", "http_status": 500}}, (500, "InternalError")),
        ({"store_code": {"code": "UserDisable"}}, (403, "UserDisable")),
    ],
)
async def test_faults_strike_reading(emulator: Emulator, what: dict[str, Any], met: tuple[int, str]) -> None:
    """
    Those of the store, by action and key; uploads and other objects are left alone.
    """
    match = {**GET["match"], "object": "avatars/*"}
    emulator.faults.add(Fault.model_validate({"match": match, "what": what}))
    config = configured(emulator.endpoint, "v4")

    assert await got(config, key="avatars/red.png") == met
    assert (await got(config, key="blue.png"))[1] == BLUE
    assert (await put(await token_of(emulator.endpoint), "avatars/red.png", RED)).status == 200


@pytest.mark.parametrize("what", [{"truncated": True}, {"code": 500}, {"throttle": {}}])
def test_what_cannot_happen_to_reading_is_refused(what: dict[str, Any]) -> None:
    """
    Half an object is stored by an upload alone; the API's refusals are its own.
    """
    with pytest.raises(ValueError, match="cannot strike GetObject"):
        Fault.model_validate(GET | {"what": what})


def signed_get(
    emulator: Emulator, bucket: str, key: str, query: str = "", signature: str = "v4", *, at: float | None = None
) -> HttpRequest:
    """A GET that the newer SDK's signer signed, for what its client would not send."""
    request = HttpRequest("GET", f"{emulator.url}/{bucket}/{quote(key)}{query}")
    credentials = StaticCredentialsProvider(SETTINGS.access_key_id, SECRET).get_credentials()
    moment = None if at is None else datetime.fromtimestamp(at, UTC)
    context = SigningContext("oss", "ap-southeast-1", bucket, key, request, credentials=credentials)
    context.signing_time = moment
    (SignerV1() if signature == "v1" else SignerV4()).sign(context)
    return request


async def asked(request: HttpRequest) -> tuple[int, str]:
    """The status and the text of an answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(request.url, encoded=True), headers=request.headers) as response,
    ):
        return response.status, await response.text()
