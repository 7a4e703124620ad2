"""
Objects of the vendor's object store that this service reads with a key of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from consumer.alibaba import oss_signing
from consumer.clock import Clock
from consumer.config.credentials import Credentials
from consumer.images.stores import Asked
from consumer.images.stores.addresses import Endpoint
from consumer.images.stores.conditions import wanted_etag
from consumer.images.stores.listing import page_query
from consumer.locations import StoredObject
from consumer.vendor_facts.aliyun import DOMAIN


@dataclass(frozen=True, slots=True)
class OssStore:
    """Asks for objects. `key` gives the key to sign with."""

    endpoint: Endpoint
    region: str
    key: Callable[[], Credentials] = field(repr=False)
    clock: Clock = field(repr=False)

    async def get(self, wanted: StoredObject) -> Asked:
        etag = wanted_etag(wanted)
        parameters = {} if wanted.version is None else {"versionId": wanted.version}
        asked = self._signed(wanted.bucket, wanted.key, parameters)
        return asked if etag is None else Asked(asked.url, {**asked.headers, "if-match": etag})

    async def look(self, bucket: str) -> Asked:
        return self._signed(bucket, "", {"list-type": "2", "max-keys": "1"})

    async def page(self, bucket: str, prefix: str, after: str | None) -> Asked:
        return self._signed(bucket, "", page_query(prefix, after))

    def _signed(self, bucket: str, key: str, parameters: Mapping[str, str]) -> Asked:
        credentials, address = self.key(), self.endpoint.of(bucket)
        headers = {
            "x-oss-content-sha256": oss_signing.UNSIGNED,
            "x-oss-date": oss_signing.timestamp(self.clock.wall()),
        }
        if credentials.security_token is not None:
            headers["x-oss-security-token"] = credentials.security_token.get_secret_value()
        path, query = oss_signing.resource(bucket, key), oss_signing.query(parameters)
        headers["authorization"] = oss_signing.authorization(
            "GET",
            path,
            headers,
            query=query,
            region=self.region,
            access_key_id=credentials.access_key_id,
            access_key_secret=credentials.access_key_secret.get_secret_value(),
        )
        return Asked(address.url + path.removeprefix(f"/{bucket}/") + (f"?{query}" if query else ""), headers)


def public(region: str) -> str:
    """Where the vendor has a region's object store."""
    return f"https://oss-{region}.{DOMAIN}"
