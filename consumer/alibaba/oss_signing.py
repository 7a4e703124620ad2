"""
The vendor's OSS4-HMAC-SHA256 signature (V4) of a request to its object store: values in, header out.

    request ──► canonical request ──SHA-256──► string to sign ──HMAC-SHA256──► Authorization
                                    the key is derived for a day, a region and the store

Vendor: `content-type`, `content-md5` and every `x-oss-*` header must be signed. The payload is not: it goes over TLS.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from urllib.parse import quote

ALGORITHM = "OSS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"


def timestamp(unix_seconds: float) -> str:
    """Write a moment as `x-oss-date` wants it: `20260102T030405Z`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def resource(bucket: str, key: str) -> str:
    """Write a bucket and an object's key as a path. Slashes of the key stay."""
    return f"/{bucket}/{quote(key, safe='/~')}"


def query(parameters: Mapping[str, str]) -> str:
    """Write a query as it is signed and sent."""
    return "&".join(f"{quote(name, safe='~')}={quote(parameters[name], safe='~')}" for name in sorted(parameters))


def authorization(
    method: str,
    path: str,
    headers: Mapping[str, str],
    *,
    region: str,
    access_key_id: str,
    access_key_secret: str,
    query: str = "",
) -> str:
    """
    Sign all of `headers` (names in lower case, `x-oss-date` among them) and return the `Authorization` header's value.

    `path` is that of `resource`, however the request itself names the bucket; `query` is as it is sent; `region` is the
    bucket's.
    """
    moment = headers["x-oss-date"]
    scope = (moment[:8], region, "oss", "aliyun_v4_request")
    canonical = "\n".join(
        (
            method,
            path,
            query,
            *(f"{name}:{headers[name].strip()}" for name in sorted(headers)),
            "",  # the header block ends in a line break of its own
            "",  # no headers beyond those that must be signed
            UNSIGNED,
        )
    )
    text = "\n".join((ALGORITHM, moment, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()))
    key = reduce(_derived, scope, f"aliyun_v4{access_key_secret}".encode())
    signature = _derived(key, text).hex()
    return f"{ALGORITHM} Credential={access_key_id}/{'/'.join(scope)},Signature={signature}"


def _derived(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
