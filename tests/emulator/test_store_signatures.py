"""
The signatures of the object store: the vectors of the official SDK, and what is refused for which reason.
"""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from alibabacloud_oss_v2.credentials import Credentials
from alibabacloud_oss_v2.signer.v1 import SignerV1
from alibabacloud_oss_v2.signer.v4 import SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext

from consumer.emulator.errors import StoreError
from consumer.emulator.store_signatures import (
    MAX_SKEW,
    StoreRequest,
    canonical_request,
    read_claim,
    string_to_sign,
    verify,
)
from consumer.emulator.uploads import read_store_request

VECTORS = [
    vector
    for vector in orjson.loads((Path(__file__).parents[1] / "samples" / "signatures.json").read_bytes())["vectors"]
    if vector["scheme"].startswith("OSS")
]
SIGNED_AT = 1_767_323_045.0  # 2026-01-02T03:04:05Z, as in the vectors

both = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["id"]))


def as_request(vector: dict[str, Any]) -> StoreRequest:
    request = vector["request"]
    headers = [*request["headers_in"].items(), ("Authorization", vector["expected"]["authorization"])]
    return StoreRequest(request["method"], request["bucket"], request["key"], headers=headers)


def with_header(request: StoreRequest, name: str, value: str | None) -> StoreRequest:
    others = [(key, old) for key, old in request.headers if key.lower() != name]
    return replace(request, headers=others if value is None else [*others, (name, value)])


def refusal(request: StoreRequest, vector: dict[str, Any], *, now: float = SIGNED_AT) -> tuple[int, str]:
    with pytest.raises(StoreError) as caught:
        verify(request, read_claim(request), vector["credentials"]["access_key_secret"], now=now)
    return caught.value.status, caught.value.code


def test_both_signatures_have_a_vector() -> None:
    """
    One of V1 and one of V4.
    """
    assert sorted(vector["scheme"] for vector in VECTORS) == ["OSS-V1-HMAC-SHA1", "OSS-V4-HMAC-SHA256"]


@both
def test_what_the_official_sdk_signed_is_reproduced(vector: dict[str, Any]) -> None:
    """
    From its request come the same texts, and its signature is accepted until its date is too old or too far ahead.
    """
    request, expected = as_request(vector), vector["expected"]
    claim = read_claim(request)

    assert claim.key_id == vector["credentials"]["access_key_id"]
    assert string_to_sign(request, claim) == expected["string_to_sign"]
    assert "canonical_request" not in expected or canonical_request(request) == expected["canonical_request"]
    for now in (SIGNED_AT, SIGNED_AT + MAX_SKEW, SIGNED_AT - MAX_SKEW):
        verify(request, claim, vector["credentials"]["access_key_secret"], now=now)
    for now in (SIGNED_AT + MAX_SKEW + 1, SIGNED_AT - MAX_SKEW - 1):
        assert refusal(request, vector, now=now) == (403, "RequestTimeTooSkewed")


@both
def test_whatever_is_signed_cannot_be_changed(vector: dict[str, Any]) -> None:
    """
    Method, bucket, key, content type and the store's own headers are signed; the secret signs them.
    """
    request = as_request(vector)
    changed = [
        replace(request, method="GET"),
        replace(request, bucket="another-bucket"),
        replace(request, key="upload/1xxb89/other.jpg"),
        with_header(request, "content-type", "image/png"),
        with_header(request, "content-md5", "nhB9nTcrtoJr2B01QqQZ1g=="),
        with_header(request, "x-oss-security-token", "another"),
        with_header(request, "x-oss-meta-name", "added"),
    ]
    wrong_secret = vector | {"credentials": {"access_key_secret": "wrong"}}

    assert [refusal(each, vector) for each in changed] == [(403, "SignatureDoesNotMatch")] * len(changed)
    assert refusal(request, wrong_secret) == (403, "SignatureDoesNotMatch")


@both
def test_the_refusal_shows_what_was_computed(vector: dict[str, Any]) -> None:
    """
    A client's author compares it with the text that the client signed.
    """
    request = replace(as_request(vector), key="other")

    with pytest.raises(StoreError) as caught:
        verify(request, read_claim(request), "secret", now=SIGNED_AT)

    assert caught.value.details["StringToSign"] == string_to_sign(request, read_claim(request))


@both
def test_headers_that_are_not_signed_may_change(vector: dict[str, Any]) -> None:
    """
    What the transport adds is not signed.
    """
    request = with_header(with_header(as_request(vector), "user-agent", "x"), "accept-encoding", "gzip")

    verify(request, read_claim(request), vector["credentials"]["access_key_secret"], now=SIGNED_AT)


@both
@pytest.mark.parametrize("date", [None, "", "yesterday", "20261399T999999Z", "Fri, 99 Jan 2026 03:04:05 GMT"])
def test_a_request_without_a_date_is_refused(date: str | None, vector: dict[str, Any]) -> None:
    """
    Neither signature is good without a date that can be read.
    """
    name = "x-oss-date" if vector["scheme"].startswith("OSS-V4") else "date"

    assert refusal(with_header(as_request(vector), name, date), vector) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 403, "AccessDenied"),
        ("", 400, "InvalidArgument"),
        ("OSS id", 400, "InvalidArgument"),
        ("OSS4-HMAC-SHA256 Credential=id/20260102/eu-west-1/s3/aliyun_v4_request,Signature=" + "0" * 64, 400, None),
        ("OSS4-HMAC-SHA256 Credential=id/20260102/eu-west-1/oss/aliyun_v4_request,Signature=short", 400, None),
        ("Basic aWQ6c2VjcmV0", 400, "InvalidArgument"),
    ],
)
def test_a_request_that_is_not_signed_is_refused(authorization: str | None, status: int, code: str | None) -> None:
    """
    Without a signature there is no right; one that cannot be read is an invalid argument.
    """
    with pytest.raises(StoreError) as caught:
        read_claim(with_header(StoreRequest("PUT", "b", "k"), "authorization", authorization))

    assert (caught.value.status, caught.value.code) == (status, code or "InvalidArgument")


@pytest.mark.parametrize(
    ("host", "target", "bucket", "key"),
    [
        ("127.0.0.1:8090", "/my-bucket/upload/1x/a.png", "my-bucket", "upload/1x/a.png"),
        ("127.0.0.1:8090", "/my-bucket/upload%2F1x%2Fa%20b%2B%E6%B5%8B.png", "my-bucket", "upload/1x/a b+测.png"),
        ("[::1]:8090", "/my-bucket//a", "my-bucket", "/a"),
        ("emulated-uploads-eu-west-1.localhost", "/upload%2Fa.png", "emulated-uploads-eu-west-1", "upload/a.png"),
        ("localhost", "/", "", ""),
    ],
)
def test_bucket_and_key_are_read_from_host_and_path(host: str, target: str, bucket: str, key: str) -> None:
    """
    The bucket comes first in the path or first in the host; the key is decoded, its slashes too.
    """
    request = read_store_request("PUT", host, f"{target}?acl", [])

    assert (request.bucket, request.key, request.query) == (bucket, key, "acl")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_more_headers_are_signed_as_the_official_sdks_sign_them(version: str) -> None:
    """
    The store's own headers go by their names, also where one begins with another; V4 may sign further ones.
    """
    headers = {
        "content-type": "image/png",
        "x-oss-meta-a-b": "2",
        "x-oss-meta-a": "1",
        "x-oss-meta-empty": "",
        "host": "127.0.0.1:8090",
    }
    signed = HttpRequest("PUT", "http://127.0.0.1:8090/b/k%20%2B~*", headers=headers)
    context = SigningContext(
        product="oss",
        region="eu-west-1",
        bucket="b",
        key="k +~*测",
        request=signed,
        credentials=Credentials("id", "secret"),
        signing_time=datetime.fromtimestamp(SIGNED_AT, UTC),
        additional_headers={"host"},
    )
    (SignerV1() if version == "v1" else SignerV4()).sign(context)
    request = StoreRequest("PUT", "b", "k +~*测", headers=list(signed.headers.items()))

    claim = read_claim(request)
    verify(request, claim, "secret", now=SIGNED_AT)

    assert claim.additional == (() if version == "v1" else ("host",))
    assert refusal(with_header(request, "x-oss-meta-a", "3"), {"credentials": {"access_key_secret": "secret"}}) == (
        403,
        "SignatureDoesNotMatch",
    )


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_parameters_are_signed_as_the_official_sdks_sign_them(version: str) -> None:
    """
    However they are spelled and in whichever order they come: all by V4, by V1 those that name a part of an object.
    """
    signed = HttpRequest("GET", "http://127.0.0.1:8090/b/k?versionId=CAEQ%2B%2F%3D&max-keys=1&prefix")
    context = SigningContext("oss", "eu-west-1", "b", "k", signed, Credentials("id", "secret"))
    context.signing_time = datetime.fromtimestamp(SIGNED_AT, UTC)
    context.sub_resource = []
    (SignerV1() if version == "v1" else SignerV4()).sign(context)

    def accepts(query: str) -> bool:
        request = StoreRequest("GET", "b", "k", query, list(signed.headers.items()))
        with contextlib.suppress(StoreError):
            verify(request, read_claim(request), "secret", now=SIGNED_AT)
            return True
        return False

    same = ["versionId=CAEQ%2B%2F%3D&max-keys=1&prefix", "prefix=&max-keys=%31&versionId=CAEQ%2B/="]
    others = ["versionId=CAEQ&max-keys=1&prefix", "max-keys=1&prefix", "versionId=CAEQ%2B%2F%3D&max-keys=2&prefix"]
    assert [accepts(query) for query in same] == [True, True]
    assert [accepts(query) for query in others] == [False, False, version == "v1"]
