"""The vendor's way with local files, step by step, each with an SDK of the vendor's as it is."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import alibabacloud_oss_v2
import oss2
from alibabacloud_green20220302.client import Client
from alibabacloud_green20220302.models import ImageModerationRequest
from alibabacloud_oss_v2.aio import AsyncClient
from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from darabonba.runtime import RuntimeOptions
from orjson import dumps

from tests.emulator.uploading import client


class Api(Protocol):
    """The two calls of the API, from the SDK's blocking or its async methods."""

    async def token(self, sdk: Client) -> Any: ...

    async def judge(self, sdk: Client, request: ImageModerationRequest) -> Any: ...


class Blocking:
    """In a thread, as this one serves the emulator."""

    async def token(self, sdk: Client) -> Any:
        return await asyncio.to_thread(sdk.describe_upload_token)

    async def judge(self, sdk: Client, request: ImageModerationRequest) -> Any:
        return await asyncio.to_thread(sdk.image_moderation_with_options, request, RuntimeOptions())


class Waiting:
    """In the loop."""

    async def token(self, sdk: Client) -> Any:
        return await sdk.describe_upload_token_async()

    async def judge(self, sdk: Client, request: ImageModerationRequest) -> Any:
        return await sdk.image_moderation_with_options_async(request, RuntimeOptions())


class Store(Protocol):
    """A client of the object store that is open with one token."""

    async def put(self, key: str, path: Path) -> None: ...

    async def close(self) -> None: ...


class WithOss2:
    """The SDK of the vendor's sample: signature V1."""

    def __init__(self, token: Any) -> None:
        auth = oss2.StsAuth(token.access_key_id, token.access_key_secret, token.security_token)
        self._bucket = oss2.Bucket(auth, token.oss_internet_end_point, token.bucket_name)

    async def put(self, key: str, path: Path) -> None:
        await asyncio.to_thread(self._bucket.put_object_from_file, key, str(path))

    async def close(self) -> None:
        self._bucket.session.session.close()


class WithV2:
    """The store's newer SDK, which blocks: signature V4, unless another is named."""

    def __init__(self, token: Any, signature: str = "v4") -> None:
        self._bucket = token.bucket_name
        self._sdk = alibabacloud_oss_v2.Client(_configured(token, signature))

    async def put(self, key: str, path: Path) -> None:
        request = alibabacloud_oss_v2.PutObjectRequest(bucket=self._bucket, key=key)
        await asyncio.to_thread(self._sdk.put_object_from_file, request, str(path))

    async def close(self) -> None:
        pass


class WithV2Async:
    """The same SDK's client that waits in the loop."""

    def __init__(self, token: Any, signature: str = "v4") -> None:
        self._bucket = token.bucket_name
        self._sdk = AsyncClient(_configured(token, signature))

    async def put(self, key: str, path: Path) -> None:
        request = alibabacloud_oss_v2.PutObjectRequest(bucket=self._bucket, key=key, body=path.read_bytes())
        await self._sdk.put_object(request)

    async def close(self) -> None:
        await self._sdk.close()


@dataclass(slots=True)
class LocalFiles:
    """
    Has local files judged as the vendor's sample does: a token and a client of the store for each endpoint, kept until
    the token expires; and where the service fails, everything again at the next endpoint.
    """

    api: Api
    open_store: Callable[[Any], Store]
    clock: Callable[[], float] = time.time
    tokens: dict[str, Any] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)

    async def judge(self, path: Path, *endpoints: str) -> Any:
        """The answer of the first endpoint that does not fail, or of the last."""
        answer = None
        for endpoint in endpoints:
            answer = await self._judge_at(endpoint, path)
            if answer.status_code != 500 and answer.body.code != 500:
                break
        return answer

    async def _judge_at(self, endpoint: str, path: Path) -> Any:
        sdk = client(endpoint)
        token = self.tokens.get(endpoint)
        if token is None or int(token.expiration) <= int(self.clock()):
            token = self.tokens[endpoint] = (await self.api.token(sdk)).body.data
            await self._close(endpoint)
            self.stores[endpoint] = self.open_store(token)
        key = f"{token.file_name_prefix}{uuid.uuid1()}{path.suffix}"
        await self.stores[endpoint].put(key, path)
        parameters = {"ossBucketName": token.bucket_name, "ossObjectName": key, "dataId": str(uuid.uuid1())}
        request = ImageModerationRequest(service="baselineCheck_global", service_parameters=dumps(parameters).decode())
        return await self.api.judge(sdk, request)

    async def _close(self, endpoint: str) -> None:
        if (store := self.stores.pop(endpoint, None)) is not None:
            await store.close()

    async def close(self) -> None:
        """Close every client of a store."""
        for endpoint in tuple(self.stores):
            await self._close(endpoint)


def _configured(token: Any, signature: str) -> Any:
    config = alibabacloud_oss_v2.config.load_default()
    config.credentials_provider = StaticCredentialsProvider(
        token.access_key_id, token.access_key_secret, token.security_token
    )
    config.endpoint, config.region, config.use_path_style = token.oss_internet_end_point, "ap-southeast-1", True
    config.signature_version, config.retry_max_attempts = signature, 1
    return config
