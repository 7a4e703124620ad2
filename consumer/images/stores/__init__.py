"""
Objects in stores that this service has keys for: S3's kind here, others by what they tell of themselves.

    StoredObject ──► its store signs a request ──► the answer: bytes, or a code, of the object's or of the account's

We sign and send requests ourselves. A key then goes over the wire byte for byte, and bounds, authorities and proxies
are those of other images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from consumer.images.stores.addresses import Endpoint
from consumer.locations import StoredObject


@dataclass(frozen=True, slots=True)
class Asked:
    """A signed request: a URL that is sent as it is, and its headers."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


class Store(Protocol):
    """A store of objects."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        ...

    async def get(self, wanted: StoredObject) -> Asked:
        """Ask for an object. `AccountRefused` escapes where there is no key to sign with."""
        ...

    async def look(self, bucket: str) -> Asked:
        """Ask for a list of one key of a bucket. `AccountRefused` escapes likewise."""
        ...

    async def page(self, bucket: str, prefix: str, after: str | None) -> Asked:
        """Ask for a page of a bucket's list, behind what the page before names. `AccountRefused` escapes likewise."""
        ...
