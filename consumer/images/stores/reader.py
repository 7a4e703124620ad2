"""
Reading objects from stores: bounded in bytes and time, as the fetching of other images is.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from yarl import URL

from consumer.authorities import Authorities
from consumer.clock import Clock
from consumer.errors import AccountRefused, without_frames
from consumer.images.errors import NotFetched
from consumer.images.failures import of_broken_body, of_error
from consumer.images.fetch import USER_AGENT, Limits
from consumer.images.guard import Hop
from consumer.images.held import Room
from consumer.images.reading import read_image
from consumer.images.stores import Asked, Store
from consumer.images.stores.conditions import check
from consumer.images.stores.failures import (
    MOST_BODY,
    Refusal,
    failure_of,
    is_whole,
    listed_key,
    refusal_in,
)
from consumer.images.stores.listing import MOST_PAGE, Page, page_in
from consumer.images.stores.watch import StoresWatch
from consumer.locations import StoredObject
from consumer.proxies import BadProxy, Proxies, Proxy
from consumer.vendor_facts.stores import DENIED, VERSION_HEADERS

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
        with self._watched(wanted):
            return await self._sending.read(wanted, self._stores[wanted.store], room)

    @contextmanager
    def _watched(self, wanted: StoredObject) -> Iterator[None]:
        """
        Note what becomes of asking for an object. A bucket that has given nothing yet and denies an object denies them
        all, for all that is known: `AccountRefused` then.
        """
        try:
            yield
        except AccountRefused as error:
            self._watch.failed(wanted, error.code, self._clock.now(), is_refusal=True)
            raise
        except NotFetched as error:
            if error.code == "denied" and not self._watch.has_given(wanted):
                self._watch.failed(wanted, DENIED, self._clock.now(), is_refusal=True)
                raise AccountRefused(DENIED, detail=error.detail) from None
            if error.again:
                self._watch.failed(wanted, error.code, self._clock.now(), is_refusal=False)
            elif error.answered:
                self._watch.answered(wanted)
            raise
        self._watch.gave(wanted)

    async def gives_another(self, wanted: StoredObject, *, is_refused: bool) -> bool:
        """
        Tell whether the bucket of an object that fails gives another one at this moment: that which it gave last, or
        the first of its list.

        Where there is no other, and no other fails, an answer about the list is enough: the store is there. It is not
        where the object `is_refused`: a right to list is none to read.
        """
        another = self._watch.another(wanted)
        try:
            if another is None:
                listed = await self._sending.look(wanted.store, self._stores[wanted.store], wanted.bucket)
                if listed is None or listed == wanted.key:
                    return not is_refused and self._watch.fails_alone(wanted)
                another = StoredObject(wanted.store, wanted.bucket, listed)
            await self._sending.touch(another, self._stores[another.store])
        except AccountRefused:
            return False
        except NotFetched as error:
            if error.again or not error.answered:
                return False
            self._watch.forget(wanted)
            return not is_refused and self._watch.fails_alone(wanted)
        self._watch.gave(another)
        return True

    def proxy_of(self, wanted: StoredObject) -> str | None:
        """The proxy that an object is asked for through, as it is shown; None where the store is asked itself."""
        return self._sending.proxy_of(self._stores[wanted.store].endpoint.of(wanted.bucket).url)

    async def look(self, store: str, bucket: str) -> None:
        """Ask for a list of one key of a bucket. `NotFetched` and `AccountRefused` escape."""
        await self._sending.look(store, self._stores[store], bucket)

    async def page(self, store: str, bucket: str, prefix: str, after: str | None = None) -> Page:
        """A page of a bucket's list, behind the one that names `after`. `NotFetched`, `AccountRefused` escape."""
        return await self._sending.page(store, self._stores[store], bucket, prefix, after)


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
        proxy = self._proxy_for(asked.url)
        async with self._within() as deadline, self._answer(asked, proxy) as response:
            await _accept(response, wanted.store, proxy)
            version = next((response.headers[name] for name in VERSION_HEADERS if response.headers.get(name)), None)
            check(wanted, version, response.headers.get("ETag"))
            return await read_image(response, _encodings(response), self._limits.max_bytes, room, deadline)

    async def look(self, name: str, store: Store, bucket: str) -> str | None:
        """The first key of a bucket's list, as far as it is plain."""
        body = await self._begin(await store.look(bucket), name, MOST_BODY)
        return listed_key(body)

    async def page(self, name: str, store: Store, bucket: str, prefix: str, after: str | None) -> Page:
        body = await self._begin(await store.page(bucket, prefix, after), name, MOST_PAGE + 1)
        if len(body) > MOST_PAGE:
            raise NotFetched("not_a_list", detail=f"the store {name} answers with more than {MOST_PAGE} bytes")
        return page_in(body)

    async def touch(self, wanted: StoredObject, store: Store) -> None:
        """Have the first bytes of an object come; it may be empty."""
        await self._begin(await store.get(wanted), wanted.store, 1)

    async def _begin(self, asked: Asked, name: str, enough: int) -> bytes:
        """The body of an answer, no further than is `enough`."""
        proxy, body = self._proxy_for(asked.url), bytearray()
        async with self._within(), self._answer(asked, proxy) as response:
            await _accept(response, name, proxy)
            try:
                while len(body) < enough and (chunk := await response.content.readany()):
                    body += chunk
            except (aiohttp.ClientError, OSError) as error:
                raise of_broken_body(without_frames(error)) from None
        return bytes(body)

    def proxy_of(self, url: str) -> str | None:
        return self._proxies.name_for(url)

    @asynccontextmanager
    async def _within(self) -> AsyncIterator[asyncio.Timeout]:
        try:
            async with asyncio.timeout(self._limits.total_timeout) as deadline:
                yield deadline
        except TimeoutError:
            raise NotFetched("timeout", again=True, detail=f"after {self._limits.total_timeout:g} s") from None

    @asynccontextmanager
    async def _answer(self, asked: Asked, proxy: Proxy | None) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, of which the head has come."""
        url = URL(asked.url, encoded=True)
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
            raise self._failure(without_frames(error), url.host or "", proxy) from None
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
        return NotFetched(failure.code, again=True, detail=f"{host}: {failure.detail}", answered=failure.answered)


async def _accept(response: aiohttp.ClientResponse, name: str, proxy: Proxy | None) -> None:
    if response.status != _OK:
        raise failure_of(await _refusal(response), name, proxy)


async def _refusal(response: aiohttp.ClientResponse) -> Refusal:
    """A refusal, which is read no further than it says something."""
    body, refusal = bytearray(), Refusal(response.status)
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            refusal = refusal_in(response.status, body)
            if is_whole(refusal, body) or len(body) >= MOST_BODY:
                break
    except (aiohttp.ClientError, OSError) as error:
        raise of_broken_body(without_frames(error)) from None
    return refusal


def _encodings(response: aiohttp.ClientResponse) -> list[str]:
    named = ",".join(response.headers.getall("Content-Encoding", [])).split(",")
    return [each for each in (name.strip() for name in named) if each and each.lower() != _NOT_OF_THE_OBJECT]
