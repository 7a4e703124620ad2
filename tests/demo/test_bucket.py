"""The demo's private bucket."""

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from consumer.config.credentials import read_key_files
from consumer.demo.bucket_server import PrivateBucket, new_key, serving_bucket, write_key_files
from consumer.demo.messages import OBJECTS, etag_of
from consumer.emulator.s3_signatures import AccessKey, BucketRequest, Refusal, refusal
from consumer.images.stores import sigv4

KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
OBJECT = b"red"
BUCKET = PrivateBucket("ugc", dict.fromkeys(OBJECTS, OBJECT), KEY)
HOST = "127.0.0.1:9000"
NOW = 1_795_000_000.0
AMAZONS = BucketRequest(
    "GET",
    "/test.txt",
    headers=(
        ("Host", "examplebucket.s3.amazonaws.com"),
        ("Range", "bytes=0-9"),
        ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("x-amz-date", "20130524T000000Z"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ),
)
"""Vendor: the example of a GET among those of S3's header-based signatures."""
IN_2013 = 1_369_353_600.0
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def request(
    key: str = "a.jpg",
    *,
    method: str = "GET",
    bucket: str = "ugc",
    at: float = NOW,
    by: AccessKey = KEY,
    **headers: str,
) -> BucketRequest:
    """A request as the service signs it."""
    path = f"/{bucket}/{sigv4.encoded(key)}"
    signing = sigv4.Key(by.id, by.secret)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    signed = sigv4.signed(method, HOST, path, "", named, key=signing, region=by.region, now=at)
    return BucketRequest(method, path, headers=tuple(signed.items()))


def changed(given: BucketRequest, **changes: str) -> BucketRequest:
    """A request whose headers are others than those that were signed."""
    others = {name.replace("_", "-"): value for name, value in changes.items()}
    return BucketRequest(given.method, given.path, given.query, tuple({**dict(given.headers), **others}.items()))


def test_amazons_own_example_is_signed() -> None:
    """
    And is not, once anything of it is another.
    """
    elsewhere = BucketRequest("GET", "/test2.txt", headers=AMAZONS.headers)

    assert refusal(AMAZONS, KEY, now=IN_2013) is None
    assert refusal(elsewhere, KEY, now=IN_2013) == (403, "SignatureDoesNotMatch")
    assert refusal(changed(AMAZONS, Range="bytes=0-8"), KEY, now=IN_2013) == (403, "SignatureDoesNotMatch")


@settings(max_examples=50)
@given(key=TEXTS, version=st.none() | TEXTS)
def test_what_amazons_own_signer_signs_is_signed(key: str, version: str | None) -> None:
    """
    Whatever object and version is asked for.
    """
    url = f"http://{HOST}/ugc/{sigv4.encoded(key)}"
    asked: Any = AWSRequest("GET", url, {"If-Match": '"e"'}, params={} if version is None else {"versionId": version})
    S3SigV4Auth(Credentials(KEY.id, KEY.secret), "s3", KEY.region).add_auth(asked)
    prepared = asked.prepare()
    path, _, query = prepared.url.partition(HOST)[2].partition("?")
    headers = (("Host", HOST), *((name, _text(value)) for name, value in prepared.headers.items()))

    assert refusal(BucketRequest("GET", path, query, headers), KEY, now=time.time()) is None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (BucketRequest("GET", "/ugc/a.jpg", headers=(("Host", HOST),)), (403, "AccessDenied")),
        (changed(request(), authorization="AWS4-HMAC-SHA256 x"), (400, "AuthorizationHeaderMalformed")),
        (request(by=AccessKey(KEY.id, KEY.secret, "eu-west-1")), (400, "AuthorizationHeaderMalformed")),
        (request(by=AccessKey("ANOTHER", KEY.secret)), (403, "InvalidAccessKeyId")),
        (request(by=AccessKey(KEY.id, "another")), (403, "SignatureDoesNotMatch")),
        (request(at=NOW - 901), (403, "RequestTimeTooSkewed")),
        (request(at=NOW + 901), (403, "RequestTimeTooSkewed")),
        (changed(request(), x_amz_date="yesterday"), (403, "RequestTimeTooSkewed")),
        (changed(request(), host="elsewhere"), (403, "SignatureDoesNotMatch")),
        (changed(request(), x_amz_security_token="t"), (403, "AccessDenied")),
        (changed(request(), x_amz_content_sha256="0" * 64), (400, "XAmzContentSHA256Mismatch")),
    ],
    ids=[
        "unsigned", "no signature", "another region", "another id", "another secret", "too old", "too new", "undated",
        "another host", "a header unsigned", "another body",
    ],
)  # fmt: skip
def test_nothing_is_given_without_the_keys_signature(asked: BucketRequest, expected: Refusal) -> None:
    """
    Each refusal has S3's code, by which the service knows that it is not the object's fault.
    """
    assert BUCKET.get(asked, now=NOW) == expected


@pytest.mark.parametrize("key", OBJECTS)
def test_an_object_is_given_by_its_key_byte_for_byte(key: str) -> None:
    """
    With blanks, +, % and what is beyond ASCII; as long as it is the object that was put.
    """
    assert BUCKET.get(request(key), now=NOW) == OBJECT
    assert BUCKET.get(request(key, if_match=f'"{etag_of(OBJECT)}"'), now=NOW) == OBJECT
    assert BUCKET.get(request(key, if_match=f'"{etag_of(b"before")}"'), now=NOW) == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("gone.jpg"), (404, "NoSuchKey")),
        (request("gone.jpg", if_match='"e"'), (404, "NoSuchKey")),
        (request(bucket="other"), (404, "NoSuchBucket")),
        (request(method="DELETE"), (405, "MethodNotAllowed")),
    ],
    ids=["no object", "no object any more", "no bucket", "not a GET"],
)
def test_what_is_not_there_is_told_apart(asked: BucketRequest, expected: Refusal) -> None:
    """
    A missing object is the image's fault, a missing bucket is not.
    """
    assert BUCKET.get(asked, now=NOW) == expected


async def test_the_bucket_is_served_with_etags_and_its_refusals_in_xml() -> None:
    """
    To who has the key; anyone else gets a refusal and no byte of an object.
    """
    async with serving_bucket(BUCKET) as url, aiohttp.ClientSession() as http:
        host = url.removeprefix("http://")
        path = f"/ugc/{sigv4.encoded(next(iter(OBJECTS)))}"
        headers = sigv4.signed(
            "GET", host, path, "", {}, key=sigv4.Key(KEY.id, KEY.secret), region=KEY.region, now=time.time()
        )
        target = URL(f"{url}{path}", encoded=True)
        async with http.get(target, headers=headers) as found:
            given = (found.status, found.headers["ETag"], await found.read())
        async with http.get(target) as refused:
            unsigned = (refused.status, refused.content_type, await refused.text())

    assert given == (200, f'"{etag_of(OBJECT)}"', OBJECT)
    assert unsigned[:2] == (403, "application/xml")
    assert "<Code>AccessDenied</Code>" in unsigned[2]


def test_the_service_reads_the_key_that_was_written(tmp_path: Path) -> None:
    """
    Each key is new, and nobody else on the machine may read it.
    """
    key = new_key()

    folder = write_key_files(key, tmp_path / "key")

    read = read_key_files(folder)
    assert (read.access_key_id, read.access_key_secret.get_secret_value()) == (key.id, key.secret)
    assert folder.stat().st_mode & 0o077 == 0
    assert key != new_key()
