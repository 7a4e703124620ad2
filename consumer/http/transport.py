"""
The connections to the provider, each through its proxy, and what is known of a call while it makes its way.

Whether a call was sent decides what its failure means: one that was not is never billed, and ended at a step that
operators can look at (`not_reached.py`).
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import httpx

from consumer.authorities import Authorities
from consumer.config.provider import ProviderSettings
from consumer.errors import ConsumerError, Misconfigured, ProviderFailed, without_frames
from consumer.http.not_reached import NotReached, Step, not_reached, refused_by
from consumer.observability import metrics
from consumer.proxies import DIRECT, Proxies, Proxy

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter, ResolveResult
    from aiohttp.connector import Connection


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


# httpx has no place to pass it through, and aiohttp sends in the task, and so in the context, of the request.
sending: ContextVar[Sending | None] = ContextVar("sending", default=None)


class _Request(aiohttp.ClientRequest):
    """
    A request that tells its `Sending` how far it has come. aiohttp's tracing could tell it too, for a tenth of a call's
    CPU.
    """

    async def send(self, conn: "Connection") -> aiohttp.ClientResponse:
        # Before anything is written, and not for a proxy's CONNECT: what is raised here closes the connection unused.
        if (call := sending.get()) is not None:
            call.is_sent = True
            if call.before:
                call.before()
        return await super().send(conn)

    async def write_bytes(
        self, writer: "AbstractStreamWriter", conn: "Connection", content_length: int | None = None
    ) -> None:
        await super().write_bytes(writer, conn, content_length)
        # uvloop hands to the system what was written in a turn of the loop at the turn's end. What is called soon comes
        # after that.
        call, protocol = sending.get(), conn.protocol
        if call is not None and call.after and protocol is not None and protocol.exception() is None:
            self.loop.call_soon(call.after)


class _Resolver(aiohttp.ThreadedResolver):
    """Tells the `Sending` that waits for it."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list["ResolveResult"]:
        self._note(True)
        found = await super().resolve(host, port, family)
        self._note(False)
        return found

    def _note(self, is_resolving: bool) -> None:
        # Here, and not in `resolve`: aiohttp may keep the frame of a resolution that failed, and with it the call.
        if (call := sending.get()) is not None:
            call.is_resolving = is_resolving


@contextlib.asynccontextmanager
async def open_transport(connections: int, ways: Ways | None = None) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """
    Hold at most so many connections, of all regions together, until the context ends.

    Without `ways` there is no proxy, and the system's authorities are trusted.
    """
    ways = ways or Ways(DIRECT, Authorities(None, {}))
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections, keepalive_timeout=60.0, ssl=ways.authorities.context, resolver=_Resolver()
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_Request,
        trust_env=False,  # it would also read ~/.netrc
    )
    async with session:
        yield _Routed(session, ways)


class _Routed(httpx.AsyncBaseTransport):
    """
    Sends each request through its proxy, and sorts what keeps it from being sent. Later failures escape as aiohttp's.

    It is thin on purpose: httpx's own transport costs six times as much, and httpx-aiohttp another tenth of a call.
    """

    def __init__(self, session: aiohttp.ClientSession, ways: Ways) -> None:
        self._session = session
        self._proxies = ways.proxies
        self._authorities = ways.authorities
        self._found: dict[tuple[str, str, int | None], Proxy | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = self._proxy(request.url)
        call = sending.get()
        if call is None:
            call = Sending()
            sending.set(call)
        if proxy is not None and request.url.scheme == "http":
            request.headers.update(proxy.headers)  # there is no CONNECT to tell it with
        call.is_sent, call.is_resolving, call.proxy = False, False, proxy
        try:
            answer = await self._send(request, proxy)
        except ConsumerError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            if call.is_sent:
                raise
            raise self._failure(not_reached(error, proxy, tls=request.url.scheme == "https")) from without_frames(error)
        refusal = None if proxy is None else refused_by(answer.status, proxy)
        if refusal is None:
            return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer), request=request)
        answer.close()
        raise self._failure(refusal)

    def _failure(self, why: NotReached) -> ProviderFailed:
        metrics.PROVIDER_NOT_REACHED.labels(why.step).inc()
        if why.step == "tls":
            self._authorities.look_again()
        return why.failure()

    async def _send(self, request: httpx.Request, proxy: Proxy | None) -> aiohttp.ClientResponse:
        """Return the answer's head; its body is as it came, and no redirect is followed."""
        is_whole = isinstance(request.stream, httpx.ByteStream)
        body: Any = request.read() if is_whole else request.stream
        encoding = request.headers.encoding
        timeouts = request.extensions.get("timeout", {})
        return await self._session.request(
            request.method,
            str(request.url),
            headers=[(name.decode(encoding), value.decode(encoding)) for name, value in request.headers.raw],
            data=body or None,
            allow_redirects=False,
            auto_decompress=False,
            compress=False,
            timeout=_timeout(timeouts.get("connect"), timeouts.get("read")),
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
        )

    def _proxy(self, url: httpx.URL) -> Proxy | None:
        origin = url.scheme, url.host, url.port
        if origin not in self._found:
            self._found[origin] = self._proxies.proxy_for(str(url))
        return self._found[origin]


@lru_cache(maxsize=8)
def _timeout(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect, sock_read=read)


class _Body(httpx.AsyncByteStream):
    """The body of an answer, in the pieces in which it comes."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.content.iter_any():
            yield piece

    async def aclose(self) -> None:
        self._answer.release()
        await self._answer.wait_for_close()
