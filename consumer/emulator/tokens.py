"""
What lets a caller upload local files for a while: a temporary key, and the place that it may write to.

Vendor: DescribeUploadToken, version 2022-03-02.
"""

import base64
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

MOST_TOKENS: Final = 10_000
"""How many tokens are known. Of one that was forgotten the store says that its key does not exist."""

_BUCKETS: Final = "emulated-uploads-"


@dataclass(frozen=True, slots=True)
class UploadToken:
    """A temporary key for one prefix of one bucket. `expiration` is in whole unix seconds."""

    region: str
    access_key_id: str = field(repr=False)
    access_key_secret: str = field(repr=False)
    security_token: str = field(repr=False)
    prefix: str
    expiration: int

    @property
    def bucket(self) -> str:
        """The one bucket that it may write to."""
        return bucket_of(self.region)

    def json(self, endpoint: str) -> dict[str, JsonValue]:
        """As the provider hands it out, with the base URL of its store."""
        return {
            "AccessKeyId": self.access_key_id,
            "AccessKeySecret": self.access_key_secret,
            "SecurityToken": self.security_token,
            "BucketName": self.bucket,
            "FileNamePrefix": self.prefix,
            "Expiration": self.expiration,
            "OssInternetEndPoint": endpoint,
            "OssInternalEndPoint": endpoint,
        }


@dataclass(slots=True)
class UploadTokens:
    """The tokens that were handed out, each valid for `lifetime` seconds."""

    lifetime: float
    _by_key: OrderedDict[str, UploadToken] = field(default_factory=OrderedDict)

    def hand_out(self, region: str, *, now: float) -> UploadToken:
        """One more token; those before it stay valid. Its prefix is its own: it writes over nobody else's objects."""
        token = UploadToken(
            region=region,
            access_key_id=f"STS.{secrets.token_hex(12)}",
            access_key_secret=secrets.token_urlsafe(32),
            # The vendor's have +, / and =, which a client must not lose.
            security_token="CAIS+/" + base64.b64encode(secrets.token_bytes(64)).decode(),
            prefix=f"upload/{secrets.token_hex(3)}/",
            expiration=int(now + self.lifetime),
        )
        self._by_key[token.access_key_id] = token
        if len(self._by_key) > MOST_TOKENS:
            self._by_key.popitem(last=False)
        return token

    def find(self, access_key_id: str) -> UploadToken | None:
        """The token of a key, valid or not."""
        return self._by_key.get(access_key_id)


def bucket_of(region: str) -> str:
    """The bucket that takes a region's uploads."""
    return _BUCKETS + region


def split_host(host: str) -> tuple[str, str]:
    """The bucket that a Host header begins with, as in `bucket.localhost:8090`, or none, and the rest."""
    first, _, rest = host.partition(".")
    return (first.lower(), rest) if first.lower().startswith(_BUCKETS) else ("", host)
