"""
The vendor's ACS3-HMAC-SHA256 signature (V3), as its client makes it: values in, headers out.

    request ──► canonical request ──SHA-256──► string to sign ──HMAC-SHA256──► Authorization

Vendor: `host`, `content-type` and every `x-acs-*` header must be signed; exactly those are. A temporary key (STS) adds
two headers.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

from consumer.config.credentials import Credentials

ALGORITHM = "ACS3-HMAC-SHA256"


def timestamp(unix_seconds: float) -> str:
    """Write a moment as `x-acs-date` wants it: `2026-01-02T03:04:05Z`."""
    return _written(int(unix_seconds))


@lru_cache(maxsize=8)
def _written(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def authorization(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body_sha256: str,
    credentials: Credentials,
) -> str:
    """
    Sign all of `headers` (names in lower case) and return the `Authorization` header's value.

    `query` holds decoded values; `body_sha256` is the hex digest of the very bytes that are sent.
    """
    names = sorted(headers)
    signed = ";".join(names)
    canonical = "\n".join(
        (
            method,
            path,
            "&".join(f"{quote(key, safe='~')}={quote(query[key], safe='~')}" for key in sorted(query)),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",  # the vendor's header block ends in a line break of its own
            signed,
            body_sha256,
        )
    )
    string_to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = credentials.access_key_secret.get_secret_value()
    signature = hmac.digest(secret.encode(), string_to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={signed},Signature={signature}"


def signed_headers(
    *,
    action: str,
    version: str,
    host: str,
    body: bytes,
    content_type: str | None,
    date: str,
    nonce: str,
    credentials: Credentials,
    query: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """
    Return every header of a `POST /` call, `Authorization` included. A nonce may be used once only.

    `query` holds decoded values; a call without a body has no `content_type`.
    """
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        **({} if content_type is None else {"content-type": content_type}),
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": digest,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if credentials.security_token is not None:
        headers["x-acs-accesskey-id"] = credentials.access_key_id
        headers["x-acs-security-token"] = credentials.security_token.get_secret_value()
    headers["authorization"] = authorization("POST", "/", query or {}, headers, digest, credentials)
    return headers
