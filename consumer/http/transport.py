"""
The connections to the provider, each through its proxy, and what is known of a call while it makes its way.

Whether a call was sent decides what its failure means: one that was not is never billed, and ended at a step that
operators can look at (`not_reached.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Self

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from consumer.authorities import Authorities
from consumer.config.provider import ProviderSettings
from consumer.errors import ConsumerError, Misconfigured, ProviderFailed
from consumer.http.not_reached import NotReached, Step, not_reached, refused_by
from consumer.observability import metrics
from consumer.proxies import DIRECT, Proxies, Proxy


@dataclass(frozen=True, slots=True)
class Ways:
    """How the provider is reached: through which proxies, and whose certificates are trusted."""

    proxies: Proxies
    authorities: Authorities

    @classmethod
    def of(cls, settings: ProviderSettings, environment: Mapping[str, str]) -> Self:
        """
        Raises:
            Misconfigured: a proxy of a region is none, or there are no authorities to trust.
        """
        proxies = Proxies.of(environment, settings.proxy)
        urls = [region.base_url for region in settings.regions]
        problems = list(proxies.problems(urls))
        speaks_tls = any(url.startswith("https:") for url in urls)
        try:
            authorities = Authorities(settings.ca_file, environment if speaks_tls else {})
        except Misconfigured as error:
            raise Misconfigured([*problems, *error.problems]) from error
        if problems:
            raise Misconfigured(problems)
        return cls(proxies, authorities)


@dataclass(slots=True)
class Sending:
    """One call on its way."""

    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None
    is_sent: bool = False
    is_resolving: bool = False
    proxy: Proxy | None = None

    def timed_out(self) -> ProviderFailed:
        """The failure of a call that was not sent in time."""
        step: Step = "proxy" if self.proxy else "dns" if self.is_resolving else "connect"
        metrics.PROVIDER_NOT_REACHED.labels(step).inc()
        return NotReached(step, "timeout").failure()


# httpx has no place to pass it through; aiohttp calls its hooks in the task, and so in the context, of the request.
sending: ContextVar[Sending | None] = ContextVar("sending", default=None)


async def _tell_that_it_is_sent(*_: object) -> None:
    # aiohttp 3.13 calls this before it writes anything, and not for a proxy's CONNECT: what is raised here closes the
    # connection unused.
    call = sending.get()
    if call is not None:
        call.is_sent = True
        if call.before:
            call.before()


async def _tell_when_it_went_out(*_: object) -> None:
    # aiohttp calls this with the body, which it writes in the same turn of the loop, after whatever else that turn had
    # to do; uvloop hands it to the system at the turn's end. What is called soon comes after that.
    call = sending.get()
    if call is not None and call.after:
        asyncio.get_running_loop().call_soon(call.after)


async def _tell_of_dns(*_: object, began: bool) -> None:
    if (call := sending.get()) is not None:
        call.is_resolving = began


@contextlib.asynccontextmanager
async def open_transport(connections: int, ways: Ways | None = None) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """
    Hold at most so many connections, of all regions together, until the context ends.

    Without `ways` there is no proxy, and the system's authorities are trusted.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_tell_that_it_is_sent)
    tracing.on_request_chunk_sent.append(_tell_when_it_went_out)
    tracing.on_dns_resolvehost_start.append(partial(_tell_of_dns, began=True))
    tracing.on_dns_resolvehost_end.append(partial(_tell_of_dns, began=False))
    ways = ways or Ways(DIRECT, Authorities(None, {}))
    # httpx-aiohttp 0.2 limits a session to 100 connections unless it is handed one.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=60.0, ssl=ways.authorities.context),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
        trust_env=False,  # it would also read ~/.netrc
    )
    async with session:
        yield _Routed(session, ways)


class _Routed(httpx.AsyncBaseTransport):
    """Sends each request through its proxy, and sorts what keeps it from being sent."""

    def __init__(self, session: aiohttp.ClientSession, ways: Ways) -> None:
        self._session = session
        self._proxies = ways.proxies
        self._authorities = ways.authorities
        self._found: dict[tuple[str, str, int | None], tuple[httpx.AsyncBaseTransport, Proxy | None]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport, proxy = self._way(request.url)
        call = sending.get()
        if call is None:
            call = Sending()
            sending.set(call)
        if proxy is not None and request.url.scheme == "http":
            request.headers.update(proxy.headers)  # there is no CONNECT to tell it with
        call.is_sent, call.is_resolving, call.proxy = False, False, proxy
        try:
            response = await transport.handle_async_request(request)
        except ConsumerError:
            raise
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            if call.is_sent:
                raise
            cause = error.__cause__ if isinstance(error, httpx.TransportError) else None
            found = not_reached(cause or error, proxy, tls=request.url.scheme == "https")
        else:
            refusal = None if proxy is None else refused_by(response.status_code, proxy)
            if refusal is None:
                return response
            await response.aclose()
            found, cause = refusal, None
        metrics.PROVIDER_NOT_REACHED.labels(found.step).inc()
        if found.step == "tls":
            self._authorities.look_again()
        raise found.failure() from cause

    def _way(self, url: httpx.URL) -> tuple[httpx.AsyncBaseTransport, Proxy | None]:
        origin = url.scheme, url.host, url.port
        if origin not in self._found:
            proxy = self._proxies.proxy_for(str(url))
            self._found[origin] = _transport(self._session, self._authorities, proxy), proxy
        return self._found[origin]


def _transport(
    session: aiohttp.ClientSession, authorities: Authorities, proxy: Proxy | None
) -> httpx.AsyncBaseTransport:
    told = None if proxy is None else httpx.Proxy(proxy.url, headers=proxy.headers)
    return AiohttpTransport(client=session, proxy=told, verify=authorities.context, trust_env=False)
