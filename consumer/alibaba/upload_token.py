"""
The vendor's upload token, and what its object store answers: bodies in, values or failures out.

Vendor: `DescribeUploadToken`, version 2022-03-02, without parameters. A token is a temporary key for one bucket, under
one prefix; `Expiration` is in unix seconds. The store answers a refusal as XML, `<Error><Code>…`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from consumer.alibaba.codes import failure_of
from consumer.errors import AccountRefused, CallFailed, ClockOff, ImageRefused, ProviderFailed
from consumer.images.stores.addresses import takes_no_bucket
from consumer.vendor_facts.aliyun import is_vendors

ACTION = "DescribeUploadToken"

LONGEST = 4096  # characters of each text of a token; the vendor's own have up to a thousand

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REGION = re.compile(r"oss-([a-z]{2}-[a-z0-9-]+?)(?:-internal)?\.")
_CODE = re.compile(rb"<Code>([A-Za-z0-9_.-]{1,64})</Code>")

# Vendor: codes of the object store. What stands nowhere here is the store's own failure, and waited for.
STORE_CODES: Mapping[str, type[CallFailed]] = {
    "AccessDenied": AccountRefused,
    "RequestTimeTooSkewed": ClockOff,
    "EntityTooLarge": ImageRefused,
}
# With these the token is no good any more; the next attempt asks for another.
TOKEN_CODES = frozenset(
    {"InvalidAccessKeyId", "InvalidSecurityToken", "SecurityTokenExpired", "SignatureDoesNotMatch", "NoSuchBucket"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadToken:
    """The right to upload to one bucket of one region, for a while."""

    access_key_id: str = field(repr=False)
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    bucket: str
    prefix: str  # of the keys of objects
    expires: float  # unix seconds
    endpoint: str  # base URL of the store, which knows the bucket by host or by path
    ending: str | None = None  # of the keys of objects, where it is not that of their format

    @property
    def region(self) -> str | None:
        """Which region signatures name, as far as the endpoint says so."""
        match = _REGION.match(urlsplit(self.endpoint).netloc)
        return match[1] if match else None

    def base_url(self) -> str:
        """Where objects of the bucket are: by host, or by path where the host is an address or this machine's name."""
        parts = urlsplit(self.endpoint)
        if takes_no_bucket(parts.hostname or ""):
            return f"{self.endpoint}/{self.bucket}"
        return f"{parts.scheme}://{self.bucket}.{parts.netloc}"


def read_token(status: int, body: bytes, retry_after: float = 0.0, *, base_url: str, vpc: bool) -> UploadToken:
    """
    Accept an answer to `DescribeUploadToken` from `base_url`, or raise why it is none.

    `retry_after` are the seconds that its headers ask to wait.
    The store is called as securely as the provider: over TLS, and at a host of the vendor's where the provider is one.

    Raises:
        CallFailed: the branch says what to do about it.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    code = answer.get("Code") if isinstance(answer, dict) else None
    if not 200 <= status < 300 or code != 200 or isinstance(code, bool):
        named = code if isinstance(code, int | str) and not isinstance(code, bool) else None
        raise failure_of(status, named, retry_after)
    data = answer.get("Data")
    if not isinstance(data, dict):
        raise ProviderFailed("upload_token")
    expires = data.get("Expiration")
    if not isinstance(expires, int) or isinstance(expires, bool) or not 0 < expires < 2**53:
        raise ProviderFailed("upload_token", detail="Expiration is no number of seconds")
    return UploadToken(
        access_key_id=text_in(data, "AccessKeyId"),
        access_key_secret=text_in(data, "AccessKeySecret"),
        security_token=text_in(data, "SecurityToken"),
        bucket=bucket_in(data, "BucketName"),
        prefix=text_in(data, "FileNamePrefix"),
        expires=float(expires),
        endpoint=endpoint_in(text_in(data, "OssInternalEndPoint" if vpc else "OssInternetEndPoint"), base_url),
    )


def store_failure(status: int, body: bytes) -> CallFailed:
    """Sort a refusal of the object store."""
    match = _CODE.search(body[:4096])
    code = match[1].decode() if match else f"http_{status}"
    if status >= 500:
        return ProviderFailed(code)
    return STORE_CODES.get(code, ProviderFailed)(code)


def bucket_in(data: Mapping[str, Any], name: str) -> str:
    """Return a member that names a bucket. `ProviderFailed` escapes where it does not."""
    bucket = text_in(data, name)
    if not _BUCKET.fullmatch(bucket):
        raise ProviderFailed("upload_token", detail=f"{name} is no name of a bucket")
    return bucket


def text_in(data: Mapping[str, Any], name: str) -> str:
    """Return a member that is a text. `ProviderFailed` escapes where it is not."""
    value = data.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isascii() or not value.isprintable():
        raise ProviderFailed("upload_token", detail=f"{name} is not there, or no plain text")
    return value


def endpoint_in(url: str, base_url: str) -> str:
    """
    Return the store's base URL without a path, where `base_url` handed out the token. `ProviderFailed` escapes.

    Vendor: endpoints carry a scheme, and one without means http.
    """
    try:
        parts, ours = urlsplit(url if "://" in url else f"http://{url}"), urlsplit(base_url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        parts, ours, host = SplitResult("", "", "", "", ""), urlsplit(base_url), ""
    plain = not host or parts.username is not None or parts.path.rstrip("/") or parts.query or parts.fragment
    if plain or parts.scheme not in ("http", "https"):
        raise ProviderFailed("upload_token", detail="its endpoint is no URL of a host")
    if is_vendors(ours.hostname or "") and not is_vendors(host):
        raise ProviderFailed("upload_token", detail="its endpoint is no host of the vendor's")
    scheme = "https" if ours.scheme == "https" else parts.scheme
    return f"{scheme}://{parts.netloc}"
