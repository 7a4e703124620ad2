"""
Fetching an image from where a stranger says that it is.

What strangers may name is bounded in where it leads (`targets.py`, `addresses.py`, `guard.py`), in redirects, in bytes,
as they come and once they are unpacked, and in time. Cookies, passwords and the environment play no part in it.

Through a proxy only addresses that stand in a URL, and names of this machine, are refused here: the proxy looks names
up, and has to refuse on its own what they must not lead to.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from consumer.authorities import Authorities
from consumer.errors import without_frames
from consumer.images.addresses import NOTHING, Allowed
from consumer.images.errors import NotFetched
from consumer.images.failures import of_error, of_status
from consumer.images.guard import Hop, OwnThreadsResolver, guarded_socket, guarding
from consumer.images.held import Room
from consumer.images.reading import read_image
from consumer.images.targets import Target, redirected, target
from consumer.proxies import BadProxy, Proxies, Proxy
from consumer.vendor_facts.images import MOST_BYTES

USER_AGENT = "moderation-consumer"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,256}"')


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch may take, and where it may lead. Times are seconds."""

    max_bytes: int = MOST_BYTES
    total_timeout: float = 10.0
    connect_timeout: float = 3.0
    referer: str | None = None
    allowed: Allowed = NOTHING


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image, or whatever else was there."""

    data: bytes = field(repr=False)
    media_type: str | None  # as its server says, in lower case and without parameters
    etag: str | None


@asynccontextmanager
async def open_fetcher(
    limits: Limits, proxies: Proxies, authorities: Authorities, resolver: AbstractResolver | None = None
) -> AsyncIterator["Fetcher"]:
    """
    A fetcher whose connections live until the context ends. How many fetches there are at once is its callers' matter.

    Names are looked up by `resolver`, or else as the system does; which addresses it has found is not trusted.
    """
    names = resolver or OwnThreadsResolver()
    connector = aiohttp.TCPConnector(
        limit=0, resolver=names, use_dns_cache=False, socket_factory=guarded_socket, ssl=authorities.context
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_timeout),
        auto_decompress=False,
        trust_env=False,  # it would also read ~/.netrc
    )
    try:
        async with session:
            yield Fetcher(session, limits, proxies, authorities)
    finally:
        await names.close()


class Fetcher:
    """Fetches images within its limits."""

    def __init__(
        self, session: aiohttp.ClientSession, limits: Limits, proxies: Proxies, authorities: Authorities
    ) -> None:
        self._session = session
        self._limits = limits
        self._proxies = proxies
        self._authorities = authorities

    async def fetch(self, url: str, room: Room | None = None) -> Fetched:
        """
        Fetch what is at a URL. Its bytes come once `room` has as many; the wait for that is not counted in the time.

        Raises:
            NotFetched: saying why, and whether another try may help.
        """
        asked = target(url, self._limits.allowed)
        try:
            async with asyncio.timeout(self._limits.total_timeout) as deadline:
                return await self._follow(asked, room, deadline)
        except TimeoutError:
            raise NotFetched("timeout", again=True, detail=f"after {self._limits.total_timeout:g} s") from None

    def proxy_of(self, url: str) -> str | None:
        """The proxy that a URL is fetched through, as it is shown; None where its host is asked itself."""
        return self._proxies.name_for(url) if url.partition(":")[0].lower() in ("http", "https") else None

    async def _follow(self, asked: Target, room: Room | None, deadline: asyncio.Timeout) -> Fetched:
        hops = 0
        while True:
            found = await self._ask(asked, room, deadline)
            if found is None:
                continue
            if isinstance(found, Fetched):
                return found
            asked = redirected(asked, found, hops, self._limits.allowed)
            hops += 1

    async def _ask(self, asked: Target, room: Room | None, deadline: asyncio.Timeout) -> Fetched | str | None:
        """What a host answers: an image, or where else it is; None where it must be asked once more."""
        proxy = self._proxy_for(asked)
        hop = Hop(asked.host, self._limits.allowed, is_proxied=proxy is not None)
        with guarding(hop):
            response = await self._answer(asked, hop, proxy)
        async with response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                return location
            if response.status != _OK:
                raise of_status(response.status, proxy)
            encodings = response.headers.getall("Content-Encoding", [])
            data = await read_image(response, encodings, self._limits.max_bytes, room, deadline)
            if data is None:
                return None
            return Fetched(data, _media_type(response), _etag(response))

    async def _answer(self, asked: Target, hop: Hop, proxy: Proxy | None) -> aiohttp.ClientResponse:
        """The answer, of which the head has come."""
        try:
            return await self._get(asked, proxy)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failure(without_frames(error), hop, proxy) from None

    def _failure(self, error: BaseException, hop: Hop, proxy: Proxy | None) -> NotFetched:
        failure = of_error(error, hop, proxy)
        if failure.code == "tls":
            self._authorities.look_again()
        return failure

    async def _get(self, asked: Target, proxy: Proxy | None) -> aiohttp.ClientResponse:
        told = proxy.headers if proxy else {}
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        if self._limits.referer:
            headers["Referer"] = self._limits.referer
        if asked.scheme == "http":
            headers |= told  # there is no CONNECT to tell it with
        return await self._session.get(
            URL(asked.url, encoded=True),
            headers=headers,
            allow_redirects=False,
            proxy=proxy.url if proxy else None,
            proxy_headers=told or None,
        )

    def _proxy_for(self, asked: Target) -> Proxy | None:
        try:
            return self._proxies.proxy_for(asked.url)
        except BadProxy as error:
            raise NotFetched("proxy", again=True, detail=str(error)) from None


def _media_type(response: aiohttp.ClientResponse) -> str | None:
    said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return said if _MEDIA_TYPE.fullmatch(said) else None


def _etag(response: aiohttp.ClientResponse) -> str | None:
    said = response.headers.get("ETag", "")
    return said if _ETAG.fullmatch(said) else None
