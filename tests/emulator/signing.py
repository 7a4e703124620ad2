"""Requests signed by the official SDK (alibabacloud-tea-openapi 0.4.6): the emulator does not check itself."""

import hashlib
import itertools
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import orjson
from alibabacloud_tea_openapi.utils import Utils
from darabonba.request import DaraRequest

from consumer.emulator import EmulatorSettings

ALGORITHM = "ACS3-HMAC-SHA256"
_nonces = itertools.count()


def question(service: str = "baselineCheck_global", **parameters: str) -> bytes:
    """The form body of an ImageModeration call."""
    return urlencode({"Service": service, "ServiceParameters": orjson.dumps(parameters).decode()}).encode()


def signed_headers(
    host: str,
    body: bytes,
    *,
    query: Mapping[str, str] | None = None,
    action: str = "ImageModeration",
    version: str = "2022-03-02",
    at: float | None = None,
    nonce: str | None = None,
    key_id: str = EmulatorSettings().access_key_id,
    secret: str = EmulatorSettings().access_key_secret.get_secret_value(),
    token: str | None = None,
    content_type: str = "application/x-www-form-urlencoded",
) -> dict[str, str]:
    """Every header of a valid POST of `body`, its Authorization among them. `at` is in unix seconds."""
    body_hash = hashlib.sha256(body).hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() if at is None else at)),
        "x-acs-signature-nonce": nonce or f"nonce-{next(_nonces)}-{time.time_ns()}",
        "x-acs-content-sha256": body_hash,
        "content-type": content_type,
    }
    if token is not None:
        headers |= {"x-acs-accesskey-id": key_id, "x-acs-security-token": token}
    request = DaraRequest()
    request.method, request.pathname, request.query, request.headers = "POST", "/", dict(query or {}), headers
    return {**headers, "Authorization": Utils.get_authorization(request, ALGORITHM, body_hash, key_id, secret)}
