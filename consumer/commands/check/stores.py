"""Ask each store for a list of one key of each bucket that a binding names, and say what the answers show."""

import asyncio
from collections.abc import Iterator, Mapping

from consumer.clock import Clock
from consumer.commands.check.findings import Finding, ok, refused, warning, wrong
from consumer.config import Config
from consumer.errors import AccountRefused, ClockOff, Misconfigured
from consumer.image_sources import open_stores
from consumer.images.errors import NotFetched
from consumer.images.stores.reader import StoreReader
from consumer.vendor_facts.stores import ADVICE


async def look_at_stores(config: Config, environment: Mapping[str, str], clock: Clock) -> list[Finding]:
    """Look at every store that a binding names, and name the others."""
    findings = [*_unnamed(config), *_in_clear(config)]
    places = sorted({(each.store, each.bucket) for each in config.bindings if each.store is not None})
    if not places:
        return findings
    try:
        async with open_stores(config, environment, clock) as reader:
            return [*findings, *await asyncio.gather(*(_look(reader, *place) for place in places))]
    except Misconfigured as error:
        return [*findings, *(refused("stores", problem) for problem in error.problems)]


def _unnamed(config: Config) -> Iterator[Finding]:
    for name in config.stores.keys() - config.stores_read.keys():
        yield warning(f"store {name}", "no binding names it: name it as store in a binding, or remove it")


def _in_clear(config: Config) -> Iterator[Finding]:
    for name, store in config.stores_read.items():
        if store.goes_in_clear:
            what = "is read over the network without TLS: everyone on the way can see its images, and put others in"
            yield warning(f"store {name}", f"{what} their place; use https://, and remove allow_clear_text")


async def _look(reader: StoreReader, store: str, bucket: str) -> Finding:
    about = f"store {store}"
    try:
        await reader.look(store, bucket)
    except ClockOff as error:
        return wrong(about, f"{bucket}: {error.code}: this machine's clock is wrong: set it, such as with NTP")
    except AccountRefused as error:
        return wrong(about, f"{bucket}: {error.code}: {ADVICE.get(error.code, error.detail)}")
    except NotFetched as error:
        return _not_listed(about, bucket, error)
    return ok(about, f"{bucket} is there, and the key is accepted")


def _not_listed(about: str, bucket: str, error: NotFetched) -> Finding:
    if error.code == "denied":
        what = "the key is accepted and may not list the bucket, as is best; whether it may read its objects"
        return ok(about, f"{bucket}: {what}, only an image shows")
    return wrong(about, f"{bucket}: {error.code}: {error.detail}: see the store's endpoint, and the network")
