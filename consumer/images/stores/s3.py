"""
Objects of a store that speaks like Amazon's S3.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from consumer.clock import Clock
from consumer.images.stores import Asked, sigv4
from consumer.images.stores.addresses import Address, Endpoint
from consumer.images.stores.conditions import wanted_etag
from consumer.images.stores.listing import page_query
from consumer.locations import StoredObject


@dataclass(frozen=True, slots=True)
class S3Store:
    """Asks for objects. `key` gives the key to sign with, or raises `AccountRefused`."""

    endpoint: Endpoint
    region: str
    key: Callable[[], Awaitable[sigv4.Key]] = field(repr=False)
    clock: Clock = field(repr=False)

    async def get(self, wanted: StoredObject) -> Asked:
        etag = wanted_etag(wanted)
        parameters = {} if wanted.version is None else {"versionId": wanted.version}
        headers = {} if etag is None else {"if-match": etag}
        return await self._signed(self.endpoint.of(wanted.bucket), wanted.key, parameters, headers)

    async def look(self, bucket: str) -> Asked:
        return await self._signed(self.endpoint.of(bucket), "", {"list-type": "2", "max-keys": "1"}, {})

    async def page(self, bucket: str, prefix: str, after: str | None) -> Asked:
        return await self._signed(self.endpoint.of(bucket), "", page_query(prefix, after), {})

    async def _signed(
        self, address: Address, key: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> Asked:
        path, query = address.path + sigv4.encoded(key), sigv4.query(parameters)
        signed = sigv4.signed(
            "GET", address.host, path, query, headers, key=await self.key(), region=self.region, now=self.clock.wall()
        )
        return Asked(f"{address.scheme}://{address.host}{path}" + (f"?{query}" if query else ""), signed)


def amazons(region: str) -> str:
    """Where Amazon has a region's S3. Vendor: China's have a domain of their own."""
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
