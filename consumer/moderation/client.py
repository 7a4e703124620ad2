"""
One HTTP call to the provider: sign, send, read, translate what went wrong.

The request goes straight to httpx's aiohttp transport: `httpx.AsyncClient` around it doubles the CPU of a call, and
httpx's own transport costs six times as much.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from consumer.clock import Clock
from consumer.config import Credentials, ProviderSettings
from consumer.errors import ProviderFailed
from consumer.moderation import Question, signing, wire
from consumer.observability import metrics
from consumer.records import Answer


class HttpModerator:
    """Asks the provider once. Every failure is a `CallFailed`."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, settings: ProviderSettings, credentials: Credentials, clock: Clock
    ) -> None:
        self._transport = transport
        self._url = httpx.URL(f"{settings.base_url}/")
        self._host = urlsplit(settings.base_url).netloc
        self._region = settings.region
        self._deadline = settings.connect_timeout + settings.read_timeout
        self._timeouts = {"timeout": {"connect": settings.connect_timeout, "read": settings.read_timeout}}
        self._key_id = credentials.access_key_id
        self._key_secret = credentials.access_key_secret.get_secret_value()
        self._clock = clock

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, settings: ProviderSettings, credentials: Credentials, clock: Clock
    ) -> AsyncIterator["HttpModerator"]:
        """Hold connections to the provider, as many as calls may be in flight, until the context ends."""
        # httpx-aiohttp 0.2 limits a session to 100 connections unless it is handed one.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=settings.max_in_flight, keepalive_timeout=60.0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        transport = AiohttpTransport(client=session)
        try:
            yield cls(transport, settings, credentials, clock)
        finally:
            await transport.aclose()

    async def ask(self, question: Question) -> Answer:
        body = wire.request_body(question)
        headers = signing.signed_headers(
            action=wire.ACTION,
            version=wire.VERSION,
            host=self._host,
            body=body,
            content_type=wire.CONTENT_TYPE,
            date=signing.timestamp(self._clock.wall()),
            nonce=secrets.token_hex(16),
            access_key_id=self._key_id,
            access_key_secret=self._key_secret,
        )
        headers["accept"] = "application/json"
        request = httpx.Request("POST", self._url, headers=headers, content=body, extensions=self._timeouts)
        sent, began = self._clock.wall(), self._clock.now()
        with _transport_failures():
            # The read timeout restarts with every byte; the deadline does not, so that a drip ends too.
            async with asyncio.timeout(self._deadline):
                response = await self._transport.handle_async_request(request)
                try:
                    content = await response.aread()
                finally:
                    await response.aclose()
        took = self._clock.now() - began
        metrics.PROVIDER_SECONDS.observe(took)
        answer = wire.read_answer(response.status_code, response.headers, content, question)
        return replace(answer, region=self._region, sent=sent, took=took)


@contextlib.contextmanager
def _transport_failures() -> Iterator[None]:
    """Translate what the transport raises. Only a call that never connected is certain not to be billed."""
    try:
        yield
    except (httpx.TransportError, aiohttp.ClientError, OSError, TimeoutError) as error:
        # httpx-aiohttp 0.2 calls a dropped connection ConnectTimeout, so its cause is what counts.
        cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
        if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            raise ProviderFailed("connect") from error
        if isinstance(cause, TimeoutError):
            raise ProviderFailed("timeout", billed="maybe") from error
        raise ProviderFailed("connection_lost", billed="maybe") from error
