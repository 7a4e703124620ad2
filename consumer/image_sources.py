"""
Where images come from that this service fetches itself: any host, and the stores that the configuration names.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from consumer.alibaba.oss_objects import OssStore, public
from consumer.authorities import Authorities
from consumer.clock import Clock
from consumer.config import Config
from consumer.config.credentials import load_key
from consumer.config.images import FROM_ENVIRONMENT
from consumer.config.stores import StoreSettings
from consumer.errors import Misconfigured
from consumer.images.addresses import Allowed
from consumer.images.fetch import Fetcher, Limits, open_fetcher
from consumer.images.held import BytesHeld, Room
from consumer.images.preparing.plan import Wanted
from consumer.images.preparing.workers import Bounds, Preparing, open_preparing
from consumer.images.stores import Store
from consumer.images.stores.addresses import Endpoint
from consumer.images.stores.chain import usual_key
from consumer.images.stores.reader import StoreReader, open_reader
from consumer.images.stores.s3 import S3Store, amazons
from consumer.images.stores.sigv4 import Key
from consumer.keys import Keys, watched_keys
from consumer.locations import StoredObject
from consumer.proxies import DIRECT, Proxies
from consumer.vendor_facts.aliyun import KEY_VARIABLES


class Sources:
    """Where images come from. An `ImageFetcher`, and an `OriginLookup`."""

    def __init__(self, fetcher: Fetcher, reader: StoreReader) -> None:
        self._fetcher = fetcher
        self._reader = reader

    async def fetch(self, source: str | StoredObject, room: Room) -> bytes:
        """Fetch what is at a URL, or an object, once `room` for it was taken. `NotFetched`, `AccountRefused` escape."""
        if isinstance(source, StoredObject):
            return await self._reader.fetch(source, room)
        return (await self._fetcher.fetch(source, room)).data

    def proxy_of(self, source: str | StoredObject) -> str | None:
        """The proxy that an image is fetched through, as it is shown; None without one."""
        return self._reader.proxy_of(source) if isinstance(source, StoredObject) else self._fetcher.proxy_of(source)

    async def gives_another(self, wanted: StoredObject, *, is_refused: bool) -> bool:
        """Tell whether a bucket gives another object now than one that fails, or `is_refused` to this service."""
        return await self._reader.gives_another(wanted, is_refused=is_refused)

    def reasons_not_ready(self) -> list[str]:
        """Name the buckets that are refused to this service, and those that have given nothing for a while."""
        return self._reader.reasons_not_ready()


@contextlib.asynccontextmanager
async def open_sources(config: Config, environment: Mapping[str, str], clock: Clock) -> AsyncIterator[Sources]:
    """
    Connections to hosts and stores, until the context ends.

    Raises:
        Misconfigured: a store's key cannot be read, or the environment's authorities; or an extra is missing.
    """
    limits, proxies = limits_of(config), proxies_of(config, environment)
    async with (
        open_fetcher(limits, proxies, Authorities(None, environment)) as fetcher,
        open_stores(config, environment, clock) as reader,
    ):
        yield Sources(fetcher, reader)


@contextlib.asynccontextmanager
async def open_stores(config: Config, environment: Mapping[str, str], clock: Clock) -> AsyncIterator[StoreReader]:
    """
    The stores that a binding names, until the context ends.

    Raises:
        Misconfigured: as `open_sources`.
    """
    async with open_given_stores(config, config.stores_read, environment, clock) as reader:
        yield reader


@contextlib.asynccontextmanager
async def open_given_stores(
    config: Config, settings: Mapping[str, StoreSettings], environment: Mapping[str, str], clock: Clock
) -> AsyncIterator[StoreReader]:
    """
    Stores of the configuration, until the context ends.

    Raises:
        Misconfigured: as `open_sources`.
    """
    stores = stores_of(settings, environment, clock)
    limits, proxies = limits_of(config), proxies_of(config, environment)
    async with open_reader(stores, limits, proxies, Authorities(None, environment), clock) as reader:
        yield reader


@contextlib.asynccontextmanager
async def open_workers(config: Config, environment: Mapping[str, str]) -> AsyncIterator[Preparing | None]:
    """
    What prepares images as the configuration wants it, until the context ends; None where it wants nothing.

    Raises:
        Misconfigured: the extra is not installed.
    """
    settings = config.images
    if not settings.are_prepared:
        yield None
        return
    bounds = Bounds(at_once=settings.workers, seconds=settings.worker_timeout, memory=settings.worker_memory_bytes)
    async with open_preparing(bounds, BytesHeld(settings.max_bytes_made), environment) as preparing:
        yield preparing


def wanted_of(config: Config) -> Wanted:
    """What is to be made of images."""
    settings = config.images
    return Wanted(
        frames=settings.frames_asked_about,
        scales=settings.oversize == "scale",
        converts=settings.convert,
        most_decoded=settings.max_decoded_megapixels * 1_000_000,
    )


def limits_of(config: Config) -> Limits:
    """What a fetch may take."""
    settings = config.images
    return Limits(
        max_bytes=settings.max_fetch_bytes,
        total_timeout=settings.fetch_timeout,
        connect_timeout=settings.connect_timeout,
        referer=config.provider.referer,
        allowed=Allowed(networks=settings.allow.networks, hosts=settings.allow.hosts),
    )


def proxies_of(config: Config, environment: Mapping[str, str]) -> Proxies:
    """
    What images are fetched through.

    Raises:
        Misconfigured: a proxy that the environment names is none.
    """
    proxy = config.images.proxy
    if proxy is None:
        return DIRECT
    proxies = Proxies.of(environment, None if proxy == FROM_ENVIRONMENT else proxy)
    if problems := list(proxies.problems(["http://images.example", "https://images.example"])):
        raise Misconfigured(problems)
    return proxies


def stores_of(settings: Mapping[str, StoreSettings], environment: Mapping[str, str], clock: Clock) -> dict[str, Store]:
    """
    Make stores ready, with what their keys come from.

    Raises:
        Misconfigured: naming all keys that cannot be read, and extras that are missing.
    """
    stores: dict[str, Store] = {}
    problems: list[str] = []
    for name, each in settings.items():
        try:
            stores[name] = _store(name, each, environment, clock)
        except Misconfigured as error:
            problems += (f"stores.{name}: {problem}" for problem in error.problems)
    if problems:
        raise Misconfigured(problems)
    return stores


def _store(name: str, settings: StoreSettings, environment: Mapping[str, str], clock: Clock) -> Store:
    region, in_path = settings.signed_region, settings.has_bucket_in_path
    if settings.type == "s3":
        endpoint = Endpoint(settings.endpoint or amazons(region), in_path)
        return S3Store(endpoint, region, _s3_key(name, settings, clock), clock)
    keys = _keys(settings, environment, clock)
    return OssStore(Endpoint(settings.endpoint or public(region), in_path), region, keys.current, clock)


def _keys(settings: StoreSettings, environment: Mapping[str, str], clock: Clock) -> Keys:
    first = load_key(environment, settings.key_files, KEY_VARIABLES, "the key of a store without key_files")
    return watched_keys(settings.key_files, first, clock)


def _s3_key(name: str, settings: StoreSettings, clock: Clock) -> Callable[[], Awaitable[Key]]:
    if settings.key_files is None:
        return usual_key(name, settings.signed_region, clock)
    keys = _keys(settings, {}, clock)

    async def current() -> Key:
        found = keys.current()
        token = found.security_token
        session = None if token is None else token.get_secret_value()
        return Key(found.access_key_id, found.access_key_secret.get_secret_value(), session)

    return current
