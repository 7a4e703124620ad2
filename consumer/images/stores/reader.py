"""
Reading objects from stores: bounded in bytes and time, as the fetching of other images is.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from consumer.authorities import Authorities
from consumer.clock import Clock
from consumer.errors import AccountRefused
from consumer.images.errors import NotFetched
from consumer.images.failures import of_broken_body, of_error
from consumer.images.fetch import USER_AGENT, Limits
from consumer.images.guard import Hop
from consumer.images.held import Room
from consumer.images.reading import read_image
from consumer.images.stores import Asked, Store
from consumer.images.stores.conditions import check
from consumer.images.stores.failures import MOST_BODY, code_in, failure_of
from consumer.images.stores.watch import Place, StoresWatch
from consumer.proxies import BadProxy, Proxies, Proxy
from consumer.records import StoredObject

_OK = 200
_NOT_OF_THE_OBJECT = "aws-chunked"  # how it was sent to the store, which some keep


@asynccontextmanager
async def open_reader(
    stores: Mapping[str, Store], limits: Limits, proxies: Proxies, authorities: Authorities, clock: Clock
) -> AsyncIterator["StoreReader"]:
    """A reader whose connections live until the context ends. How many it reads at once is its callers' matter."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=authorities.context),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_timeout),
        auto_decompress=False,
        trust_env=False,
    )
    async with session:
        yield StoreReader(stores, _Sending(session, proxies, authorities, limits), clock)


class StoreReader:
    """Reads objects of stores, by the stores' names."""

    def __init__(self, stores: Mapping[str, Store], sending: "_Sending", clock: Clock) -> None:
        self._stores = stores
        self._sending = sending
        self._clock = clock
        self._watch = StoresWatch()

    def reasons_not_ready(self) -> list[str]:
        """Name the buckets that are refused to this service, and those that have given nothing for a while."""
        return self._watch.reasons_not_ready(self._clock.now())

    async def fetch(self, wanted: StoredObject, room: Room) -> bytes:
        """
        Read an object. Its bytes come once `room` has as many; the wait for that is not counted in the time.

        Raises:
            NotFetched: saying why, and whether another try may help.
            AccountRefused: the store refuses this service, which is no object's fault.
        """
        place = Place(wanted.store, wanted.bucket)
        try:
            data = await self._sending.read(wanted, self._stores[wanted.store], room)
        except AccountRefused as error:
            self._watch.failed(place, error.code, self._clock.now(), is_refusal=True)
            raise
        except NotFetched as error:
            if error.again:
                self._watch.failed(place, error.code, self._clock.now(), is_refusal=False)
            else:
                self._watch.answered(place)
            raise
        self._watch.answered(place)
        return data

    async def look(self, store: str, bucket: str) -> None:
        """Ask for a list of one key of a bucket. `NotFetched` and `AccountRefused` escape, as of `fetch`."""
        await self._sending.look(store, self._stores[store], bucket)


class _Sending:
    """Sends signed requests, and sorts the answers."""

    def __init__(
        self, session: aiohttp.ClientSession, proxies: Proxies, authorities: Authorities, limits: Limits
    ) -> None:
        self._session = session
        self._proxies = proxies
        self._authorities = authorities
        self._limits = limits

    async def read(self, wanted: StoredObject, store: Store, room: Room) -> bytes:
        while True:  # a store may have given up what waited for room
            data = await self._read(wanted, store, room)
            if data is not None:
                return data

    async def _read(self, wanted: StoredObject, store: Store, room: Room) -> bytes | None:
        asked = await store.get(wanted)
        async with self._within() as deadline, self._answer(asked) as response:
            await _accept(response, wanted.store, store)
            version = response.headers.get("x-amz-version-id") or response.headers.get("x-oss-version-id")
            check(wanted, version, response.headers.get("ETag"))
            return await read_image(response, _encodings(response), self._limits.max_bytes, room, deadline)

    async def look(self, name: str, store: Store, bucket: str) -> None:
        asked = await store.look(bucket)
        async with self._within(), self._answer(asked) as response:
            await _accept(response, name, store)

    @asynccontextmanager
    async def _within(self) -> AsyncIterator[asyncio.Timeout]:
        try:
            async with asyncio.timeout(self._limits.total_timeout) as deadline:
                yield deadline
        except TimeoutError:
            raise NotFetched("timeout", again=True, detail=f"after {self._limits.total_timeout:g} s") from None

    @asynccontextmanager
    async def _answer(self, asked: Asked) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, of which the head has come."""
        url = URL(asked.url, encoded=True)
        proxy = self._proxy_for(asked.url)
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **asked.headers}
        told = proxy.headers if proxy else {}
        try:
            response = await self._session.get(
                url,
                headers=headers | (told if url.scheme == "http" else {}),
                allow_redirects=False,
                proxy=proxy.url if proxy else None,
                proxy_headers=told or None,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failure(error, url.host or "", proxy) from None
        async with response:
            yield response

    def _proxy_for(self, url: str) -> Proxy | None:
        try:
            return self._proxies.proxy_for(url)
        except BadProxy as error:
            raise NotFetched("proxy", again=True, detail=str(error)) from None

    def _failure(self, error: BaseException, host: str, proxy: Proxy | None) -> NotFetched:
        """Where a store is, is the operator's word: what is wrong there may pass, and is no object's fault."""
        failure = of_error(error, Hop(host, self._limits.allowed, is_proxied=True), proxy)
        if failure.code == "tls":
            self._authorities.look_again()
        return NotFetched(failure.code, again=True, detail=f"{host}: {failure.detail}")


async def _accept(response: aiohttp.ClientResponse, name: str, store: Store) -> None:
    if response.status == _OK:
        return
    raise failure_of(response.status, await _code(response), name, store.account_codes)


async def _code(response: aiohttp.ClientResponse) -> str:
    """The code of a refusal, which stands near its beginning; empty where there is none."""
    body, code = bytearray(), ""
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            code = code_in(body)
            if code or len(body) >= MOST_BODY:
                break
    except (aiohttp.ClientError, OSError) as error:
        raise of_broken_body(error) from None
    return code


def _encodings(response: aiohttp.ClientResponse) -> list[str]:
    named = ",".join(response.headers.getall("Content-Encoding", [])).split(",")
    return [each for each in (name.strip() for name in named) if each and each.lower() != _NOT_OF_THE_OBJECT]
