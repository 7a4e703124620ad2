"""
One HTTP call to one region of the provider: sign, send, read, translate what went wrong.

The request goes straight to httpx's aiohttp transport: `httpx.AsyncClient` around it doubles the CPU of a call, and
httpx's own transport costs six times as much.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport

from consumer.clock import Clock
from consumer.errors import CallFailed, ConsumerError, ProviderFailed
from consumer.moderation import Question, signing, wire
from consumer.moderation.keys import Keys
from consumer.moderation.reading import read_body
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of
from consumer.records import Answer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds for a new connection, and from there for a whole answer."""

    connect: float
    read: float


# httpx has no place to pass it through; aiohttp calls its hooks in the task, and so in the context, of the request.
_on_sent: ContextVar[Callable[[], None] | None] = ContextVar("on_sent", default=None)


async def _tell_that_it_is_sent(*_: object) -> None:
    # aiohttp 3.13 calls this before it writes anything: what is raised here closes the connection unused.
    if on_sent := _on_sent.get():
        on_sent()


@contextlib.asynccontextmanager
async def open_transport(connections: int) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Hold at most so many connections, of all regions together, until the context ends."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_tell_that_it_is_sent)
    # httpx-aiohttp 0.2 limits a session to 100 connections unless it is handed one.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=60.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
    )
    transport = AiohttpTransport(client=session)
    try:
        yield transport
    finally:
        await transport.aclose()


class HttpModerator:
    """Asks one region once. Every failure is a `CallFailed` that names the region; `Overtaken` passes through."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        base_url: str,
        region: str,
        keys: Keys,
        timeouts: Timeouts,
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._url = httpx.URL(f"{base_url}/")
        self._host = urlsplit(base_url).netloc
        self._region = region
        self._keys = keys
        self._deadline = timeouts.connect + timeouts.read
        self._timeouts = {"timeout": {"connect": timeouts.connect, "read": timeouts.read}}
        self._clock = clock

    async def ask(self, question: Question) -> Answer:
        request = self._request(question)
        _on_sent.set(question.on_sent)
        sent, began = self._clock.wall(), self._clock.now()
        try:
            response, content = await self._exchange(request)
            took = self._clock.now() - began
            metrics.PROVIDER_SECONDS.observe(took)
            answer = wire.read_answer(response.status_code, response.headers, content, question)
        except CallFailed as failure:
            failure.region = self._region
            raise
        return replace(answer, region=self._region, sent=sent, took=took)

    def _request(self, question: Question) -> httpx.Request:
        body = wire.request_body(question)
        headers = signing.signed_headers(
            action=wire.ACTION,
            version=wire.VERSION,
            host=self._host,
            body=body,
            content_type=wire.CONTENT_TYPE,
            date=signing.timestamp(self._clock.wall()),
            nonce=secrets.token_hex(16),
            credentials=self._keys.current(),
        )
        headers["accept"] = "application/json"
        headers["accept-encoding"] = "identity"  # an answer is smaller than what packing could save
        return httpx.Request("POST", self._url, headers=headers, content=body, extensions=self._timeouts)

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        with _transport_failures():
            # The read timeout restarts with every byte; the deadline does not, so that a drip ends too.
            async with asyncio.timeout(self._deadline):
                response = await self._transport.handle_async_request(request)
                return response, await read_body(response)


@contextlib.contextmanager
def _transport_failures() -> Iterator[None]:
    """
    Translate whatever the transport raises: with what a peer can send it is the provider's failure, never ours.

    Only a call that never connected is certain not to be billed.
    """
    try:
        yield
    except ConsumerError:
        raise
    except aiohttp.ClientResponseError as error:
        metrics.ANSWERS_UNREADABLE.labels("not_http").inc()
        raise ProviderFailed("not_http", billed="maybe") from error
    except (httpx.TransportError, aiohttp.ClientError, OSError, TimeoutError) as error:
        # httpx-aiohttp 0.2 calls a dropped connection ConnectTimeout, so its cause is what counts.
        cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
        if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            raise ProviderFailed("connect") from error
        if isinstance(cause, TimeoutError):
            raise ProviderFailed("timeout", billed="maybe") from error
        raise ProviderFailed("connection_lost", billed="maybe") from error
    except Exception as error:
        metrics.ANSWERS_UNREADABLE.labels("transport").inc()
        with harmless("log"):
            log.warning("call.unexpected_error", error=type(error).__name__, frames=frames_of(error))
        raise ProviderFailed("transport", billed="maybe") from error
