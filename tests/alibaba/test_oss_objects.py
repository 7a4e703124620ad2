"""Objects of the vendor's store: how they are asked for, beside how its own SDK does."""

import datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from alibabacloud_oss_v2.signer import SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext
from pydantic import SecretStr

from consumer.alibaba.oss_objects import OssStore
from consumer.config.credentials import Credentials
from consumer.images.stores.addresses import Endpoint
from consumer.images.stores.failures import Refusal, failure_of
from consumer.locations import StoredObject
from tests.rig.clock import ManualClock

NOW = 1_767_323_045.0
CREDENTIALS = Credentials(
    access_key_id="STS.key", access_key_secret=SecretStr("secret"), security_token=SecretStr("tok+/=en")
)


def store(url: str = "https://oss-cn-shanghai.aliyuncs.com") -> OssStore:
    return OssStore(Endpoint(url, has_bucket_in_path=False), "cn-shanghai", lambda: CREDENTIALS, ManualClock(NOW))


def signed_by_the_sdk(url: str, bucket: str, key: str) -> str:
    """The header of the vendor's own signer for the same request."""
    request = HttpRequest("GET", url)
    request.headers["x-oss-content-sha256"] = "UNSIGNED-PAYLOAD"
    context = SigningContext(
        product="oss", region="cn-shanghai", bucket=bucket, key=key, request=request,
        credentials=StaticCredentialsProvider("STS.key", "secret", "tok+/=en").get_credentials(),
        signing_time=datetime.datetime.fromtimestamp(NOW, datetime.UTC),
    )  # fmt: skip
    SignerV4().sign(context)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("key", ["a.jpg", "a/../b", "/a", "a//b", "a b+c%20?#.jpg", "相片/图.png", "a~*'()!"])
@pytest.mark.parametrize("version", [None, "CAEQ+/="])
async def test_a_request_is_signed_as_the_vendors_sdk_signs_it(key: str, version: str | None) -> None:
    """
    Whatever the object is called, and with a version; it is asked for byte for byte.
    """
    asked = await store().get(StoredObject("oss", "ugc", key, version))

    parts = urlsplit(asked.url)
    assert (parts.netloc, unquote(parts.path)) == ("ugc.oss-cn-shanghai.aliyuncs.com", f"/{key}")
    assert parse_qs(parts.query) == ({} if version is None else {"versionId": [version]})
    ours, theirs = asked.headers["authorization"], signed_by_the_sdk(asked.url, "ugc", key)
    assert ours.replace(" ", "") == theirs.replace(" ", "")


async def test_without_a_version_the_object_must_have_its_etag() -> None:
    """
    With quotes, as the store writes it.
    """
    asked = await store().get(StoredObject("oss", "ugc", "a", None, "5B3C1A2E"))

    assert asked.headers["if-match"] == '"5B3C1A2E"'


async def test_a_bucket_is_looked_at_by_a_list_of_one_key() -> None:
    """
    In the path, where the host is an address.
    """
    asked = await store("http://127.0.0.1:9000").look("ugc")

    assert asked.url == "http://127.0.0.1:9000/ugc/?list-type=2&max-keys=1"


def test_what_only_this_store_says_of_its_account_is_known() -> None:
    """
    Beside what it has in common with S3.
    """
    failures = [failure_of(Refusal(403, code), "oss") for code in ("SecurityTokenExpired", "UserDisable")]

    assert [type(each).__name__ for each in failures] == ["AccountRefused"] * 2
