"""
One HTTP call to one region of the provider: sign, send, read, translate what went wrong.

The request goes straight to httpx's aiohttp transport: `httpx.AsyncClient` around it doubles the CPU of a call, and
httpx's own transport costs six times as much.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import aiohttp
import httpx
import structlog

from consumer.alibaba import image_moderation, signing
from consumer.alibaba.credentials import Keys
from consumer.clock import Clock
from consumer.errors import ConsumerError, ProviderFailed
from consumer.http.reading import read_body
from consumer.http.transport import Sending, sending
from consumer.moderation import CallContext, ModerationRequest
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of
from consumer.records import ModerationResult

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds for a new connection, and from there for a whole answer."""

    connect: float
    read: float


class ImageModerationClient:
    """Asks one region once. Every failure is a `CallFailed`; `GrantRevoked` passes through."""

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

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        http_request = self._http_request(request)
        on_its_way = Sending(call.before_sending)
        sending.set(on_its_way)
        sent, began = self._clock.wall(), self._clock.now()
        response, content = await self._exchange(http_request, on_its_way)
        took = self._clock.now() - began
        metrics.PROVIDER_SECONDS.observe(took)
        answer = image_moderation.read_answer(response.status_code, response.headers, content, request)
        return replace(answer, region=self._region, sent=sent, took=took)

    def _http_request(self, request: ModerationRequest) -> httpx.Request:
        body = image_moderation.request_body(request)
        headers = signing.signed_headers(
            action=image_moderation.ACTION,
            version=image_moderation.VERSION,
            host=self._host,
            body=body,
            content_type=image_moderation.CONTENT_TYPE,
            date=signing.timestamp(self._clock.wall()),
            nonce=secrets.token_hex(16),
            credentials=self._keys.current(),
        )
        headers["accept"] = "application/json"
        headers["accept-encoding"] = "identity"  # an answer is smaller than what packing could save
        return httpx.Request("POST", self._url, headers=headers, content=body, extensions=self._timeouts)

    async def _exchange(self, request: httpx.Request, call: Sending) -> tuple[httpx.Response, bytes]:
        with _transport_failures(call):
            # The read timeout restarts with every byte; the deadline does not, so that a drip ends too.
            async with asyncio.timeout(self._deadline):
                response = await self._transport.handle_async_request(request)
                return response, await read_body(response)


@contextlib.contextmanager
def _transport_failures(call: Sending) -> Iterator[None]:
    """
    Translate whatever the transport raises: with what a peer can send it is the provider's failure, never ours.

    Only a call that was never sent is certain not to be billed.
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
        if not call.is_sent:
            raise call.timed_out() from error
        if isinstance(cause, TimeoutError):
            raise ProviderFailed("timeout", billed="maybe") from error
        raise ProviderFailed("connection_lost", billed="maybe") from error
    except Exception as error:
        metrics.ANSWERS_UNREADABLE.labels("transport").inc()
        with harmless("log"):
            log.warning("call.unexpected_error", error=type(error).__name__, frames=frames_of(error))
        raise ProviderFailed("transport", billed="maybe") from error
