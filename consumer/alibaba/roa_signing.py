"""
The signature of the vendor's 1.0 service (ROA, HMAC-SHA1): values in, headers out.

Vendor: signed are method, Accept, Content-MD5, Content-Type, Date, every `x-acs-*` header, and path and query as they
are before they are percent-encoded. Nothing stands between the headers' block and the path: the page's formula has a
line break too many there, its own example and the SDKs do not.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate

from consumer.config.credentials import Credentials

VERSION = "2018-05-09"


def signature(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], credentials: Credentials
) -> str:
    """Sign a call; `query` holds decoded values, the names of `headers` are in lower case."""
    signed = sorted(name for name in headers if name.startswith("x-acs-"))
    resource = path + ("?" + "&".join(f"{name}={query[name]}" for name in sorted(query)) if query else "")
    plain = (headers.get(name, "") for name in ("accept", "content-md5", "content-type", "date"))
    text = "\n".join((method, *plain, *(f"{name}:{headers[name]}" for name in signed), resource))
    secret = credentials.access_key_secret.get_secret_value()
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()


def signed_headers(
    *, path: str, query: Mapping[str, str], body: bytes, now: float, nonce: str, credentials: Credentials
) -> dict[str, str]:
    """Return every header of a POST with this JSON body at `now` (unix seconds), `authorization` included."""
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        "content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        "date": formatdate(now, usegmt=True),
        "x-acs-signature-method": "HMAC-SHA1",
        "x-acs-signature-nonce": nonce,
        "x-acs-signature-version": "1.0",
        "x-acs-version": VERSION,
    }
    if credentials.security_token is not None:
        headers["x-acs-security-token"] = credentials.security_token.get_secret_value()
    mac = signature("POST", path, query, headers, credentials)
    return headers | {"authorization": f"acs {credentials.access_key_id}:{mac}"}
