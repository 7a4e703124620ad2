"""Uploads local files with the vendor's own SDKs, as they are: its API's, and both of its object store."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import alibabacloud_oss_v2
import oss2
from alibabacloud_green20220302.client import Client
from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from alibabacloud_tea_openapi.utils_models import Config

from consumer.emulator import EmulatorSettings
from tests.emulator.asking import Answer, ask


class Clock:
    """The time of day, moved ahead by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True, slots=True)
class Token:
    """What DescribeUploadToken gave, or something else in its place."""

    key_id: str
    secret: str
    security_token: str
    bucket: str
    prefix: str
    endpoint: str
    expiration: int

    def but(self, **changes: str) -> "Token":
        """The same with something changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Put:
    """What a store answered: its status, the code of a refusal, the ETag of a success."""

    status: int
    code: str | None = None
    etag: str | None = None


Putting = Callable[[Token, str, bytes], Put]


def client(endpoint: str) -> Client:
    """The SDK of the provider's API, with the emulated account."""
    settings = EmulatorSettings()
    secret = settings.access_key_secret.get_secret_value()
    key = {"access_key_id": settings.access_key_id, "access_key_secret": secret}
    return Client(Config(**key, endpoint=endpoint, protocol="http", region_id="any"))


async def token_of(endpoint: str) -> Token:
    """A token, asked for with the SDK."""
    return as_token((await client(endpoint).describe_upload_token_async()).body.data)


def as_token(data: Any) -> Token:
    """What the SDK read."""
    return Token(
        data.access_key_id,
        data.access_key_secret,
        data.security_token,
        data.bucket_name,
        data.file_name_prefix,
        data.oss_internet_end_point,
        data.expiration,
    )


def with_oss2(token: Token, key: str, data: bytes) -> Put:
    """As the vendor's sample for local files uploads: signature V1."""
    auth = oss2.StsAuth(token.key_id, token.secret, token.security_token)
    try:
        result = oss2.Bucket(auth, token.endpoint, token.bucket, connect_timeout=5).put_object(key, data)
    except oss2.exceptions.ServerError as error:
        return Put(error.status, error.code)
    return Put(result.status, etag=result.etag)


def signed_headers(token: Token, key: str, **headers: str) -> dict[str, str]:
    """The headers of a PUT that the vendor's SDK signed, for requests that it would not send itself."""
    request = oss2.http.Request("PUT", "", headers={"content-type": "image/png", **headers})
    oss2.StsAuth(token.key_id, token.secret, token.security_token)._sign_request(request, token.bucket, key)
    return {name: value for name, value in request.headers.items() if value is not None}


def with_v2(token: Token, key: str, data: bytes, signature: str = "v4") -> Put:
    """As the store's newer SDK uploads."""
    config = alibabacloud_oss_v2.config.load_default()
    config.credentials_provider = StaticCredentialsProvider(token.key_id, token.secret, token.security_token)
    config.endpoint, config.region, config.use_path_style = token.endpoint, "ap-southeast-1", True
    config.signature_version, config.retry_max_attempts = signature, 1
    request = alibabacloud_oss_v2.PutObjectRequest(bucket=token.bucket, key=key, body=data)
    try:
        result = alibabacloud_oss_v2.Client(config).put_object(request)
    except alibabacloud_oss_v2.exceptions.OperationError as error:
        refused: Any = error.unwrap()
        if not isinstance(refused, alibabacloud_oss_v2.exceptions.ServiceError):
            raise
        return Put(refused.status_code, refused.code)
    return Put(result.status_code, etag=result.etag.strip('"'))


def with_v2_v1(token: Token, key: str, data: bytes) -> Put:
    """The newer SDK with the older signature, where the token's header is another and not signed."""
    return with_v2(token, key, data, "v1")


async def put(token: Token, name: str, data: bytes, putting: Putting = with_oss2) -> Put:
    """Upload `data` under a name behind the token's prefix."""
    return await asyncio.to_thread(putting, token, token.prefix + name, data)


async def ask_about(
    http: aiohttp.ClientSession, endpoint: str, token: Token, name: str = "a.png", **more: str
) -> Answer:
    """Ask about what was uploaded under a name behind the token's prefix, naming no region."""
    return await ask(http, endpoint, ossBucketName=token.bucket, ossObjectName=token.prefix + name, **more)
