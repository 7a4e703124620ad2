from typing import Any

import orjson
import pytest

from consumer.alibaba.upload_token import UploadToken, read_token, store_failure
from consumer.errors import AccountRefused, CallFailed, ClockOff, ImageRefused, ProviderFailed, Throttled

BASE_URL = "https://green-cip.ap-southeast-1.aliyuncs.com"
DATA = {
    "AccessKeyId": "STS.id",
    "AccessKeySecret": "secret",
    "SecurityToken": "token",
    "BucketName": "cip-upload",
    "FileNamePrefix": "upload/1xxb89/",
    "Expiration": 1_720_577_200,
    "OssInternetEndPoint": "https://oss-ap-southeast-1.aliyuncs.com",
    "OssInternalEndPoint": "https://oss-ap-southeast-1-internal.aliyuncs.com",
}


def read(changes: dict[str, Any] | None = None, *, base_url: str = BASE_URL, vpc: bool = False) -> UploadToken:
    data = {name: value for name, value in {**DATA, **(changes or {})}.items() if value is not None}
    answer = {"RequestId": "R", "Code": 200, "Msg": "OK", "Data": data}
    return read_token(200, orjson.dumps(answer), base_url=base_url, vpc=vpc)


def test_a_token_says_where_to_and_until_when() -> None:
    """
    The vendor's own example; objects are put at the bucket's host.
    """
    token = read()

    assert (token.bucket, token.prefix, token.expires) == ("cip-upload", "upload/1xxb89/", 1_720_577_200.0)
    assert token.base_url() == "https://cip-upload.oss-ap-southeast-1.aliyuncs.com"
    assert token.region == "ap-southeast-1"


def test_inside_of_the_vendors_network_the_internal_store_is_used() -> None:
    """
    As the provider itself is called there; the region is the same.
    """
    token = read(vpc=True)

    assert token.base_url() == "https://cip-upload.oss-ap-southeast-1-internal.aliyuncs.com"
    assert token.region == "ap-southeast-1"


@pytest.mark.parametrize(
    ("endpoint", "base_url", "where"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/cip-upload"),
        ("http://localhost:8080", "http://localhost:8080", "http://localhost:8080/cip-upload"),
        ("http://[::1]:8080", "http://[::1]:8080", "http://[::1]:8080/cip-upload"),
        ("oss-cn-shanghai.aliyuncs.com", BASE_URL, "https://cip-upload.oss-cn-shanghai.aliyuncs.com"),
        ("http://oss-cn-shanghai.aliyuncs.com", BASE_URL, "https://cip-upload.oss-cn-shanghai.aliyuncs.com"),
    ],
)
def test_the_store_is_called_as_the_provider_is(endpoint: str, base_url: str, where: str) -> None:
    """
    By path at an address; over TLS where the provider is called over TLS, whatever the token says.
    """
    assert read({"OssInternetEndPoint": endpoint}, base_url=base_url).base_url() == where


@pytest.mark.parametrize(
    "changes",
    [
        {"AccessKeyId": None},
        {"AccessKeySecret": ""},
        {"SecurityToken": 7},
        {"SecurityToken": "a\r\nx-injected: 1"},
        {"SecurityToken": "x" * 5_000},
        {"BucketName": "evil.example.com/"},
        {"BucketName": "UPPER"},
        {"FileNamePrefix": None},
        {"Expiration": "1720577200"},
        {"Expiration": True},
        {"Expiration": -1},
        {"OssInternetEndPoint": "https://oss.example.com"},
        {"OssInternetEndPoint": "https://user:password@oss-cn-shanghai.aliyuncs.com"},
        {"OssInternetEndPoint": "https://oss-cn-shanghai.aliyuncs.com/path"},
        {"OssInternetEndPoint": "ftp://oss-cn-shanghai.aliyuncs.com"},
        {"OssInternetEndPoint": "https://[half"},
    ],
)
def test_an_answer_that_is_no_token_is_the_providers_failure(changes: dict[str, Any]) -> None:
    """
    The image waits; it is put nowhere, above all not at a host that is not the vendor's.
    """
    with pytest.raises(ProviderFailed) as failed:
        read(changes)

    assert failed.value.code == "upload_token"
    assert failed.value.billed == "no"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, {"Code": "NoPermission", "Message": "no"}, AccountRefused),
        (404, {"Code": "InvalidAccessKeyId.NotFound"}, AccountRefused),
        (400, {"Code": "InvalidTimeStamp.Expired"}, ClockOff),
        (400, {"Code": "Throttling.User"}, Throttled),
        (200, {"Code": 408}, AccountRefused),
        (200, {"Code": 500}, ProviderFailed),
        (200, {"Code": True, "Data": DATA}, ProviderFailed),
        (200, [], ProviderFailed),
        (502, "<html>", ProviderFailed),
    ],
)
def test_a_refusal_is_sorted_like_any_other_of_the_provider(status: int, body: Any, kind: type[CallFailed]) -> None:
    """
    A missing permission halts, as it does for judging; an outage is waited for.
    """
    with pytest.raises(CallFailed) as failed:
        read_token(status, orjson.dumps(body), base_url=BASE_URL, vpc=False)

    assert type(failed.value) is kind


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "SecurityTokenExpired", ProviderFailed),  # another token is asked for
        (403, "InvalidAccessKeyId", ProviderFailed),
        (403, "SignatureDoesNotMatch", ProviderFailed),
        (404, "NoSuchBucket", ProviderFailed),
        (403, "AccessDenied", AccountRefused),
        (403, "RequestTimeTooSkewed", ClockOff),
        (400, "EntityTooLarge", ImageRefused),
        (503, "ServiceUnavailable", ProviderFailed),
        (503, "AccessDenied", ProviderFailed),  # a failing store may say anything
        (400, "SomethingNew", ProviderFailed),
    ],
)
def test_the_stores_refusals_are_sorted(status: int, code: str, kind: type[CallFailed]) -> None:
    """
    By the code in its XML; nothing of it is billed, and what is not known is waited for.
    """
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>secret text</Message></Error>".encode()

    failure = store_failure(status, body)

    assert (type(failure), failure.code, failure.billed) == (kind, code, "no")
    assert "secret" not in str(failure)


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"<Code>" + b"x" * 1_000_000 + b"</Code>", b"\xff<Code>"])
def test_a_refusal_that_is_no_xml_of_the_stores_is_named_by_its_status(body: bytes) -> None:
    """
    Whatever stands in it.
    """
    assert store_failure(403, body).code == "http_403"
