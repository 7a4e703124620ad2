"""
Amazon's signature (AWS4-HMAC-SHA256, version 4) of a request to S3 without a body: values in, headers out.

    request ──► canonical request ──SHA-256──► string to sign ──HMAC-SHA256──► Authorization
                                    the key is derived for a day, a region and the store

Vendor: S3 takes the path as it is sent; other services of Amazon's normalise it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """An access key; temporary ones have a token."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def encoded(key: str) -> str:
    """Write a key as a path: each byte of its UTF-8 but RFC 3986's unreserved ones is encoded, slashes stay."""
    return quote(key, safe="/~")


def query(parameters: Mapping[str, str]) -> str:
    """Write a query as it is signed and sent."""
    return "&".join(f"{quote(name, safe='~')}={quote(parameters[name], safe='~')}" for name in sorted(parameters))


def signed(
    method: str, host: str, path: str, parameters: str, headers: Mapping[str, str], *, key: Key, region: str, now: float
) -> dict[str, str]:
    """
    Return `headers` (names in lower case) with those that sign them at `now` (unix seconds).

    `path` and `parameters` are as they are sent.
    """
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    ours = {**headers, "host": host, "x-amz-content-sha256": NO_BODY, "x-amz-date": moment}
    if key.token is not None:
        ours["x-amz-security-token"] = key.token
    names = ";".join(sorted(ours))
    lines = (f"{name}:{ours[name].strip()}" for name in sorted(ours))
    canonical = "\n".join((method, path, parameters, *lines, "", names, NO_BODY))
    scope = (moment[:8], region, "s3", "aws4_request")
    text = "\n".join((ALGORITHM, moment, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()))
    signature = _derived(reduce(_derived, scope, f"AWS4{key.secret}".encode()), text).hex()
    credential = f"{key.id}/{'/'.join(scope)}"
    ours["authorization"] = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return ours


def _derived(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
