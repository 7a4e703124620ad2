"""
Local files: tokens, what the store takes with them, and what is found of it. test_vendors_sample.py has the whole way.
"""

import asyncio
import base64
import hashlib
import time
import zlib
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest

from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.images import MAX_BYTES
from consumer.emulator.tokens import bucket_of
from tests.emulator.asking import ask
from tests.emulator.uploading import (
    Clock,
    Put,
    Putting,
    as_token,
    ask_about,
    client,
    put,
    signed_headers,
    token_of,
    with_oss2,
    with_v2,
    with_v2_v1,
)
from tests.rig.pictures import picture

SETTINGS = EmulatorSettings(
    rules=[{"match": {"average_colour": "red"}, "labels": [{"label": "violent_bloody", "risk_level": "high"}]}],
    regions=("ap-southeast-1", "eu-west-1", "cn-shanghai"),
)

every_sdk = pytest.mark.parametrize(
    "putting", [with_oss2, with_v2, with_v2_v1], ids=["oss2, V1", "oss v2, V4", "oss v2, V1"]
)


@pytest.fixture
async def emulator(clock: Clock) -> AsyncIterator[Emulator]:
    """An emulator of three regions."""
    async with running(SETTINGS, clock=clock) as emulator:
        yield emulator


@every_sdk
async def test_an_object_is_found_whatever_it_is_called(
    putting: Putting, emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    """
    With letters beyond ASCII and a slash that SDKs write in two ways: by its key as it is, and by its content.
    """
    token = await token_of(emulator.endpoint)
    red, blue = picture("red"), picture("blue")

    stored = [await put(token, "r d/测+~.png", red, putting), await put(token, "blue.png", blue, putting)]
    answers = [await ask_about(http, emulator.endpoint, token, name) for name in ("r d/测+~.png", "blue.png")]

    assert stored == [Put(200, etag=hashlib.md5(each).hexdigest().upper()) for each in (red, blue)]
    assert [answer.code for answer in answers] == [200, 200]
    assert [answer.json["Data"]["RiskLevel"] for answer in answers] == ["high", "none"]


async def test_a_token_says_where_and_how_long(emulator: Emulator) -> None:
    """
    Each region hands out tokens of its own, for its own store, from the SDK's blocking and its async method.
    """
    before = time.time()
    blocking = await asyncio.to_thread(client(emulator.endpoint).describe_upload_token)
    waiting = await client(emulator.endpoints["eu-west-1"]).describe_upload_token_async()

    tokens = [as_token(response.body.data) for response in (blocking, waiting)]
    assert [(response.status_code, response.body.code) for response in (blocking, waiting)] == [(200, 200)] * 2
    assert blocking.body.request_id == blocking.headers["x-acs-request-id"]
    assert blocking.body.data.oss_internal_end_point == tokens[0].endpoint
    assert [token.endpoint for token in tokens] == [
        f"http://{emulator.endpoints[region]}" for region in ("ap-southeast-1", "eu-west-1")
    ]
    assert [token.bucket for token in tokens] == [bucket_of("ap-southeast-1"), bucket_of("eu-west-1")]
    assert all(token.key_id.startswith("STS.") and token.prefix.endswith("/") for token in tokens)
    assert all(before + 3599 <= token.expiration <= time.time() + 3600 for token in tokens)


async def test_tokens_and_uploads_cost_nothing(http: aiohttp.ClientSession) -> None:
    """
    Neither counts against the quota or is billed; each is in the log under its action.
    """
    async with running(SETTINGS.model_copy(update={"qps": 1})) as emulator:
        token, _ = await token_of(emulator.endpoint), await token_of(emulator.endpoint)
        await put(token, "a.png", picture())
        answer = await ask_about(http, emulator.endpoint, token)
        stats = emulator.stats()
        calls = [call.json() for call in emulator.calls]

    place = f"{token.bucket}/{token.prefix}a.png"
    assert answer.code == 200
    assert [(call["action"], call["image"], call["code"], call["billed"]) for call in calls] == [
        ("DescribeUploadToken", None, 200, False),
        ("DescribeUploadToken", None, 200, False),
        ("PutObject", place, "Stored", False),
        ("ImageModeration", place, 200, True),
    ]
    assert (stats["billed"], stats["busiest_second"], stats["images_billed"]) == (1, 1, 1)


@every_sdk
async def test_the_store_refuses_as_the_vendors_does(putting: Putting, emulator: Emulator) -> None:
    """
    A key, a token or a secret that is wrong, another's bucket or prefix: each has the vendor's status and code.
    """
    token, other = await token_of(emulator.endpoint), await token_of(emulator.endpoint)
    elsewhere = await token_of(emulator.endpoints["eu-west-1"])
    wrong = {
        "InvalidAccessKeyId": token.but(key_id="STS.unknown"),
        "InvalidSecurityToken": token.but(security_token=other.security_token),
        "SignatureDoesNotMatch": token.but(secret="wrong"),
        "NoSuchBucket": token.but(bucket="no-such-bucket"),
    }
    denied = [
        token.but(bucket=elsewhere.bucket),
        token.but(prefix=other.prefix),
        token.but(prefix="elsewhere/"),
        elsewhere.but(endpoint=token.endpoint),
    ]

    refused = {code: await put(each, "a.png", picture(), putting) for code, each in wrong.items()}
    answers = [await put(each, "a.png", picture(), putting) for each in denied]

    assert refused == {code: Put(404 if code == "NoSuchBucket" else 403, code) for code in wrong}
    assert answers == [Put(403, "AccessDenied")] * len(denied)


@every_sdk
async def test_a_token_expires(putting: Putting, emulator: Emulator, clock: Clock) -> None:
    """
    From the second that it names on it uploads nothing; a new one does.
    """
    token = await token_of(emulator.endpoint)
    clock.ahead = 3601

    expired = await put(token, "a.png", picture(), putting)

    assert expired == Put(403, "SecurityTokenExpired")
    assert time.time() + clock.ahead >= token.expiration


async def test_a_clock_that_is_wrong_is_refused(emulator: Emulator, clock: Clock) -> None:
    """
    A date more than fifteen minutes off is refused, whichever signature it is in.
    """
    token = await token_of(emulator.endpoint)
    clock.ahead = 1000

    refused = [await put(token, "a.png", picture(), putting) for putting in (with_oss2, with_v2_v1)]

    assert refused == [Put(403, "RequestTimeTooSkewed")] * 2


async def test_an_uploaded_object_goes_after_its_time(
    emulator: Emulator, clock: Clock, http: aiohttp.ClientSession
) -> None:
    """
    For 30 minutes it can be asked about; then it is Code 404, and not billed.
    """
    token = await token_of(emulator.endpoint)
    await put(token, "a.png", picture())

    clock.ahead = 1790
    there = await ask_about(http, emulator.endpoint, token)
    clock.ahead = 1801
    gone = await ask_about(http, emulator.endpoint, token)

    assert [there.code, gone.code] == [200, 404]
    assert emulator.stats()["billed"] == 1


async def test_an_uploaded_object_is_of_its_region(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    Asked for in another region it is not there; without a region only the region's own bucket is known.
    """
    token = await token_of(emulator.endpoint)
    await put(token, "a.png", picture())
    there, elsewhere = emulator.endpoint, emulator.endpoints["eu-west-1"]

    answers = [
        await ask_about(http, there, token),
        await ask_about(http, there, token, ossRegionId="ap-southeast-1"),
        await ask_about(http, there, token, ossRegionId="eu-west-1"),
        await ask_about(http, elsewhere, token, ossRegionId="ap-southeast-1"),
        await ask_about(http, elsewhere, token, ossRegionId="eu-west-1"),
        await ask_about(http, elsewhere, token),
        await ask_about(http, there, token.but(bucket="uploads")),
        await ask_about(http, there, token, "other.png"),
    ]

    assert [answer.code for answer in answers] == [200, 200, 404, 404, 404, 400, 400, 404]


async def test_the_mainland_takes_local_files_too(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    With its own services: those of the other regions are invalid there, and the other way round.
    """
    endpoint = emulator.endpoints["cn-shanghai"]
    token = await token_of(endpoint)
    await put(token, "a.png", picture())
    place = {"ossBucketName": token.bucket, "ossObjectName": f"{token.prefix}a.png"}

    answers = [
        await ask(http, endpoint, "baselineCheck", **place),
        await ask(http, endpoint, "baselineCheck_global", **place),
        await ask(http, emulator.endpoint, "baselineCheck", imageUrl="https://cdn.example.com/a.png"),
    ]

    assert [answer.code for answer in answers] == [200, 401, 401]


async def test_what_is_no_image_is_stored_and_refused_when_asked_about(
    emulator: Emulator, http: aiohttp.ClientSession
) -> None:
    """
    The store looks at no content.
    """
    token = await token_of(emulator.endpoint)

    stored = [await put(token, name, data) for name, data in (("empty", b""), ("text", b"no image"))]
    answers = [await ask_about(http, emulator.endpoint, token, name) for name in ("empty", "text")]

    assert [each.status for each in stored] == [200, 200]
    assert [answer.code for answer in answers] == [407, 407]


async def test_the_largest_image_fits_and_no_more(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    20 MB are stored and one byte more is not; calls of the API stay as short as they were.
    """
    token = await token_of(emulator.endpoint)
    image = picture()

    fits = await put(token, "a.png", image.ljust(MAX_BYTES, b"\0"))
    too_large = await put(token, "b.png", image.ljust(MAX_BYTES + 1, b"\0"))
    answer = await ask_about(http, emulator.endpoint, token)
    async with http.post(emulator.url, data=BytesIO(bytes(1024 * 1024 + 1))) as response:
        status = response.status

    assert (fits.status, too_large) == (200, Put(400, "EntityTooLarge"))
    assert answer.code == 200
    assert status == 413


async def test_an_upload_that_breaks_off_is_not_stored(emulator: Emulator) -> None:
    """
    Of a client that leaves before it sent what it announced, nothing is kept, and the log says so.
    """
    host, _, port = emulator.endpoint.partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"PUT /bucket/key HTTP/1.1\r\nHost: {emulator.endpoint}\r\nContent-Length: 1000\r\n\r\nhalf".encode())
    await writer.drain()
    async with asyncio.timeout(5):
        while not emulator.stats()["in_progress"]:
            await asyncio.sleep(0.01)
        writer.close()
        while emulator.stats()["in_progress"]:
            await asyncio.sleep(0.01)

    (call,) = emulator.calls
    assert (call.action, call.image, call.code) == ("PutObject", "bucket/key", "ClientLeft")


async def test_refusals_of_the_store_are_xml(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    With the elements that the vendor's have, escaped; only a PUT with nothing behind its path, and reading, are known.
    """
    url = f"{emulator.url}/{bucket_of('ap-southeast-1')}/upload/x/a.png"
    signed = {"Authorization": "OSS id:c2lnbmF0dXJl"}

    async with http.put(url, data=b"x") as response:
        unsigned, headers = await response.text(), response.headers
    refused = []
    for method, path, sent in [
        ("PUT", url, {"Authorization": "Bearer <x>"}),
        ("PUT", url, signed),
        ("PUT", f"{url}?acl", signed),
        ("PUT", f"{emulator.url}/bucket/", signed),
        ("PUT", f"{url}%00", signed),
        ("GET", url, signed),
        ("DELETE", url, signed),
    ]:
        async with http.request(method, path, headers=sent, data=b"x" if method == "PUT" else None) as response:
            code = (await response.text()).partition("<Code>")[2].partition("<")[0]
            refused.append((response.status, code))

    assert unsigned.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>AccessDenied</Code>')
    assert f"<RequestId>{headers['x-oss-request-id']}</RequestId>" in unsigned
    assert f"<HostId>{emulator.endpoint}</HostId>" in unsigned
    assert refused == [
        (400, "InvalidArgument"),
        (403, "InvalidAccessKeyId"),
        (501, "NotImplemented"),
        (400, "InvalidObjectName"),
        (400, "InvalidObjectName"),
        (403, "InvalidAccessKeyId"),
        (405, "MethodNotAllowed"),
    ]


async def test_a_bucket_may_stand_in_the_host(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    Clients of an object store call `bucket.host` where the host is a name; a name of others is refused all the same.
    """
    token = await token_of(emulator.endpoint)
    key = f"{token.prefix}a.png"
    places = [f"{token.bucket}.{emulator.endpoint}", f"{token.bucket}.localhost", f"{token.bucket}.example.com"]

    statuses = []
    for host in places:
        headers = {**signed_headers(token, key), "Host": host}
        async with http.put(f"{emulator.url}/{key}", headers=headers, data=picture()) as response:
            statuses.append(response.status)
    answer = await ask_about(http, emulator.endpoint, token)

    assert statuses == [200, 200, 421]
    assert answer.code == 200


async def test_an_upload_is_what_it_says_that_it_is(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    An MD5 or a length that is not that of the bytes is refused.
    """
    token = await token_of(emulator.endpoint)
    key, data = f"{token.prefix}a.png", picture()
    url = f"{emulator.url}/{token.bucket}/{key}"
    right = base64.b64encode(hashlib.md5(data).digest()).decode()

    answers = []
    for headers, body in [
        ({"content-md5": right}, data),
        ({"content-md5": right}, data + b"x"),
        ({"content-encoding": "deflate"}, zlib.compress(data)),
    ]:
        async with http.put(url, headers=signed_headers(token, key, **headers), data=body) as response:
            answers.append((response.status, (await response.text()).partition("<Code>")[2].partition("<")[0]))

    assert answers == [(200, ""), (400, "InvalidDigest"), (400, "IncompleteBody")]


async def test_a_full_store_loses_the_oldest(http: aiohttp.ClientSession) -> None:
    """
    Uploads take no more memory than the store may have.
    """
    async with running(SETTINGS.model_copy(update={"store_bytes": MAX_BYTES})) as emulator:
        token = await token_of(emulator.endpoint)
        for name in ("a.png", "b.png"):
            await put(token, name, picture().ljust(11 * 1024 * 1024, b"\0"))
        answers = [await ask_about(http, emulator.endpoint, token, name) for name in ("a.png", "b.png")]

    assert [answer.code for answer in answers] == [404, 200]
