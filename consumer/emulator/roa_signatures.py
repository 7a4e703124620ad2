"""
Does this request carry a valid ROA signature? Pure, as signatures.py is, and with its checks in the same order.

The method, four standard headers, every `x-acs-…` header and the decoded path and query are signed; the body by its
MD5. Other headers are not.

Vendor: "Request signatures" of the 1.0 API, HMAC-SHA1. The page demands a nonce, and its own SDK sends none: here it is
optional, and one that is sent can be used once. That a body without Content-MD5, or with that of another body, is
refused as a wrong signature is assumed.
"""

import base64
import hashlib
import hmac
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qsl, unquote

from consumer.emulator.errors import GatewayError, missing
from consumer.emulator.signatures import (
    Credentials,
    NonceLedger,
    SignedRequest,
    verify_age,
    verify_key,
    verify_nonce,
    verify_token,
)

_AUTHORIZATION: Final = re.compile(r"acs ([^:\s]+):(\S+)")
_STANDARD: Final = ("accept", "content-md5", "content-type", "date")


def string_to_sign(request: SignedRequest) -> str:
    """The text that the key signs. A standard header that is absent is an empty line."""
    standard = [request.header(name) or "" for name in _STANDARD]
    named = sorted((name.lower(), value) for name, value in request.headers if name.lower().startswith("x-acs-"))
    headers = [f"{name}:{value}" for name, value in named]
    return "\n".join((request.method, *standard, *headers, _resource(request)))


def sign(text: str, secret: str) -> str:
    """The signature of a string to sign, in base64."""
    data = text.encode("utf-8", "surrogateescape")
    return base64.b64encode(hmac.digest(secret.encode(), data, hashlib.sha1)).decode()


def verify_roa(request: SignedRequest, credentials: Credentials, nonces: NonceLedger, *, now: float) -> None:
    """
    Return if the request may pass, at `now` in unix seconds.

    Raises: GatewayError with the vendor's code and HTTP status.
    """
    key_id, shown = _parse_authorization(request)
    verify_key(key_id, credentials)
    verify_token(request.header("x-acs-security-token"), credentials, now=now)
    timestamp = verify_age(_parse_date(request.header("date")), now)
    text = string_to_sign(request)
    right = hmac.compare_digest(shown.encode("utf-8", "replace"), sign(text, credentials.access_key_secret).encode())
    if not right or not _is_of_body(request):
        raise GatewayError(
            400,
            "SignatureDoesNotMatch",
            f"Specified signature is not matched with our calculation. server string to sign is:{text}",
        )
    if nonce := request.header("x-acs-signature-nonce"):
        verify_nonce(nonce, nonces, timestamp=timestamp, now=now)


def _parse_authorization(request: SignedRequest) -> tuple[str, str]:
    value = request.header("authorization")
    if value is None:
        raise missing("AccessKeyId")
    match = _AUTHORIZATION.fullmatch(value)
    method = request.header("x-acs-signature-method") or "HMAC-SHA1"
    if match is None or method != "HMAC-SHA1" or (request.header("x-acs-signature-version") or "1.0") != "1.0":
        raise GatewayError(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    return match[1], match[2]


def _parse_date(value: str | None) -> float:
    if not value:
        raise missing("Date")
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise GatewayError(
            400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."
        ) from error


def _is_of_body(request: SignedRequest) -> bool:
    stated = request.header("content-md5")
    if stated is None:
        return not request.body
    return stated == base64.b64encode(hashlib.md5(request.body).digest()).decode()


def _resource(request: SignedRequest) -> str:
    pairs = sorted(parse_qsl(request.query, keep_blank_values=True))
    # Of an empty value one SDK signs `name=` and another `name`; the one that has operations of this API writes `=`.
    query = "&".join(f"{name}={value}" for name, value in pairs)
    path = unquote(request.path)
    return f"{path}?{query}" if query else path
