"""
One region's temporary store: a token for it, kept until shortly before it expires, and images put there.

    DescribeUploadToken ──► a key for one bucket and prefix ──► PUT ──► the object's name, for ImageModeration

Whether the vendor bills or limits calls for tokens is not documented. So there is one at a time, at most one a second,
and whoever waited while one failed has failed with it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, cast
from urllib.parse import urlsplit

import httpx

from consumer.alibaba import image_moderation, oss_signing
from consumer.alibaba.client import signed_call
from consumer.alibaba.upload_token import ACTION, TOKEN_CODES, UploadToken, read_token, store_failure
from consumer.clock import Clock
from consumer.config.credentials import Credentials
from consumer.errors import AccountRefused, CallFailed, InputRefused, ProviderFailed, Unavailable
from consumer.http.exchange import Answered, Exchanges
from consumer.images.turns import Turns
from consumer.keys import Keys
from consumer.locations import ByObject
from consumer.observability import metrics

RENEWED_BEFORE = 300.0  # seconds before a token expires it is used for nothing new; at most half of what it lasts
BETWEEN_TOKENS = 1.0  # seconds
SLICE = 262_144  # bytes of an image that are written at once

MEDIA_TYPES: Mapping[str, str] = {"ico": "image/x-icon", "jp2": "image/jp2", "svg": "image/svg+xml"}


class TokenCall(Protocol):
    """One of the vendor's calls for a token: how it is written, and what its answers mean."""

    def request(self, base_url: str, credentials: Credentials, now: float) -> httpx.Request:
        """Sign it at `now` (unix seconds)."""
        ...

    def token_in(self, answered: Answered, base_url: str, *, vpc: bool) -> UploadToken:
        """Accept its answer. `CallFailed` escapes."""
        ...


class DescribeUploadToken:
    """That of Image Moderation 2.0."""

    def request(self, base_url: str, credentials: Credentials, now: float) -> httpx.Request:
        """See `TokenCall`."""
        return signed_call(httpx.URL(f"{base_url}/"), urlsplit(base_url).netloc, b"", credentials, now, ACTION)

    def token_in(self, answered: Answered, base_url: str, *, vpc: bool) -> UploadToken:
        """See `TokenCall`."""
        wait = image_moderation.retry_after(answered.headers)
        return read_token(answered.status, answered.content, wait, base_url=base_url, vpc=vpc)


class UploadTokens:
    """Knows one region's token."""

    def __init__(
        self,
        exchanges: Exchanges,
        base_url: str,
        keys: Keys,
        clock: Clock,
        *,
        vpc: bool = False,
        call: TokenCall | None = None,
    ) -> None:
        self._call = call or DescribeUploadToken()
        self._exchanges = exchanges
        self._base_url = base_url
        self._keys = keys
        self._clock = clock
        self._vpc = vpc
        self._one_at_a_time = asyncio.Lock()
        self._token: UploadToken | None = None
        self._good_until = 0.0  # unix seconds
        self._failure: tuple[float, CallFailed] | None = None
        self._next = clock.now()

    async def current(self) -> UploadToken:
        """Return a token that is good for minutes. `CallFailed` escapes."""
        came = self._clock.now()
        if (token := self._good()) is not None:
            return token
        async with self._one_at_a_time:
            if (token := self._good()) is not None:
                return token
            if self._failure is not None and self._failure[0] >= came:
                raise self._failure[1].sorted_as(type(self._failure[1]))
            await self._clock.sleep(max(0.0, self._next - self._clock.now()))
            self._next = self._clock.now() + BETWEEN_TOKENS
            try:
                self._token = await self._ask()
            except CallFailed as error:
                self._failure = self._clock.now(), error.sorted_as(type(error))  # without what its frames hold
                raise
            return self._token

    def _good(self) -> UploadToken | None:
        return self._token if self._clock.wall() < self._good_until else None

    def drop(self, token: UploadToken) -> None:
        """Use a token no more: the store refuses it."""
        if self._token is token:
            self._token = None

    async def _ask(self) -> UploadToken:
        metrics.UPLOAD_TOKENS.inc()
        request = self._call.request(self._base_url, self._keys.current(), self._clock.wall())
        answered = await unbilled(self._exchanges, request)
        try:
            token = self._call.token_in(answered, self._base_url, vpc=self._vpc)
        except Unavailable:
            raise
        except CallFailed as error:  # it has no parameters: whatever is refused, it is no image
            raise error.sorted_as(AccountRefused if isinstance(error, InputRefused) else ProviderFailed) from None
        lasts = token.expires - self._clock.wall()
        if lasts <= 0:
            raise ProviderFailed("upload_token", detail="it has expired already: see this machine's clock")
        self._good_until = token.expires - min(RENEWED_BEFORE, lasts / 2)
        return token


class UploadStore:
    """Puts images into one region's temporary store. A `TemporaryStore`."""

    def __init__(self, tokens: UploadTokens, exchanges: Exchanges, region: str, clock: Clock) -> None:
        self._tokens = tokens
        self._exchanges = exchanges
        self._region = region
        self._clock = clock
        self._turns = Turns()

    async def put(self, image: bytes, format_name: str) -> ByObject:
        """
        Upload an image of a format such as `jpeg`, and return where the provider finds it for half an hour.

        Nothing of this is billed. `CallFailed` escapes.
        """
        token = await self._tokens.current()
        key = f"{token.prefix}{secrets.token_hex(16)}.{token.ending or format_name}"
        answered = await unbilled(self._exchanges, self._request(token, key, image, format_name))
        if not 200 <= answered.status < 300:
            raise self._refused(answered, token)
        return ByObject(token.bucket, key, None)

    def _refused(self, answered: Answered, token: UploadToken) -> CallFailed:
        failure = store_failure(answered.status, answered.content)
        if failure.code in TOKEN_CODES or answered.status in (401, 403):
            self._tokens.drop(token)
        return failure

    def _request(self, token: UploadToken, key: str, image: bytes, format_name: str) -> httpx.Request:
        headers = {
            "content-type": MEDIA_TYPES.get(format_name, f"image/{format_name}"),
            "x-oss-content-sha256": oss_signing.UNSIGNED,
            "x-oss-date": oss_signing.timestamp(self._clock.wall()),
            "x-oss-security-token": token.security_token,
        }
        path = oss_signing.resource(token.bucket, key)
        headers["authorization"] = oss_signing.authorization(
            "PUT",
            path,
            headers,
            region=token.region or self._region,
            access_key_id=token.access_key_id,
            access_key_secret=token.access_key_secret,
        )
        headers |= {"accept-encoding": "identity", "content-length": str(len(image))}
        where = f"{token.base_url()}{path.removeprefix(f'/{token.bucket}')}"
        return httpx.Request("PUT", where, headers=headers, stream=Sliced(image, self._turns))


class Sliced(httpx.AsyncByteStream):
    """Bytes that go out a slice at a time, in turn with others' slices; they can be read again."""

    def __init__(self, data: bytes, turns: Turns) -> None:
        self._data = memoryview(data)
        self._turns = turns

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), SLICE):
            await self._turns.turn()
            yield cast(bytes, self._data[start : start + SLICE])  # aiohttp takes it as it is


async def unbilled(exchanges: Exchanges, request: httpx.Request) -> Answered:
    """Make a call that costs nothing, whatever becomes of it. `ProviderFailed` escapes."""
    try:
        return await exchanges.exchange(request)
    except ProviderFailed as error:
        raise ProviderFailed(error.code, detail=error.detail) from error.__cause__
