"""
One HTTP call to a provider: send, read within bounds of time and bytes, translate what went wrong.

The request goes straight to the transport: `httpx.AsyncClient` around it doubles the CPU of a call.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
import httpx
import structlog
from prometheus_client import Histogram

from consumer.clock import Clock
from consumer.errors import ConsumerError, ProviderFailed, without_frames
from consumer.http.content import most_bytes
from consumer.http.reading import read_body
from consumer.http.transport import Sending, sending
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.observability.tracebacks import frames_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds for a new connection, and from there for a whole answer."""

    connect: float
    read: float


class Answered(NamedTuple):
    """What came back, whatever it says."""

    status: int
    headers: httpx.Headers
    content: bytes
    sent: float  # unix seconds
    took: float  # seconds from there

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status})"  # what came back may name people and texts


class Exchanges:
    """Makes calls, over the connections of one transport."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        timeouts: Timeouts,
        clock: Clock,
        seconds: Histogram = metrics.PROVIDER_SECONDS,
    ) -> None:
        """`seconds` counts how long answers took."""
        self._transport = transport
        self._seconds = seconds
        self._deadline = timeouts.connect + timeouts.read
        self._timeouts = {"connect": timeouts.connect, "read": timeouts.read}
        self._clock = clock

    async def exchange(
        self,
        request: httpx.Request,
        before_sending: Callable[[], None] | None = None,
        after_sending: Callable[[], None] | None = None,
        images: int = 1,
    ) -> Answered:
        """
        Send a request once.

        `before_sending` is called in the last moment before bytes go out; what it raises escapes. `after_sending` is
        called once they have gone out, and not where that cannot be told: a request that failed, or without a body.
        An answer about more `images` may be longer.

        `ProviderFailed` escapes where there is no whole answer; it says whether it may have been billed all the same.
        """
        call = Sending(before_sending, after_sending)
        sending.set(call)
        request.extensions["timeout"] = self._timeouts
        sent, began = self._clock.wall(), self._clock.now()
        try:
            # The read timeout restarts with every byte; the deadline does not, so that a drip ends too.
            async with asyncio.timeout(self._deadline):
                response = await self._transport.handle_async_request(request)
                content = await read_body(response, most_bytes(images))
        except ConsumerError:
            raise
        except Exception as error:  # noqa: BLE001 — it is raised as another
            raise _failure(call, error) from without_frames(error)
        took = self._clock.now() - began
        self._seconds.observe(took)
        return Answered(response.status_code, response.headers, content, sent, took)


def _failure(call: Sending, error: Exception) -> ProviderFailed:
    """
    Translate what the transport raised: with what a peer can send it is the provider's failure, never ours.

    Only a call that was never sent is certain not to be billed.
    """
    if isinstance(error, aiohttp.ClientResponseError):
        metrics.ANSWERS_UNREADABLE.labels("not_http").inc()
        return ProviderFailed("not_http", billed="maybe")
    if isinstance(error, httpx.TransportError | aiohttp.ClientError | OSError):  # TimeoutError is an OSError
        if not call.is_sent:
            return call.timed_out()
        timed_out = isinstance(error, TimeoutError | httpx.TimeoutException)
        return ProviderFailed("timeout" if timed_out else "connection_lost", billed="maybe")
    metrics.ANSWERS_UNREADABLE.labels("transport").inc()
    with harmless("log"):
        log.warning("call.unexpected_error", error=type(error).__name__, frames=frames_of(error))
    return ProviderFailed("transport", billed="maybe")
