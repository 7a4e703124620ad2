"""
Does this request carry a valid RPC signature v1? Pure, as signatures.py is, and with its checks in the same order.

Everything rides in parameters: in the query, or in a form body. All of them are signed but `Signature`, with the
method; headers are not.

Vendor: "Signature method V1.0" of RPC APIs, HMAC-SHA1.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, quote

from consumer.emulator.errors import GatewayError, missing
from consumer.emulator.signatures import (
    Credentials,
    NonceLedger,
    SignedRequest,
    verify_key,
    verify_nonce,
    verify_timestamp,
    verify_token,
)

FORM: Final = "application/x-www-form-urlencoded"

Pair = tuple[str, str]


def is_rpc(request: SignedRequest) -> bool:
    """Whether a request is signed in its query, and not in a header."""
    names = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)}
    return request.header("authorization") is None and "Signature" in names


def signed_pairs(request: SignedRequest) -> list[Pair]:
    """What is signed: the parameters of the query and of a form body, with empty values."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if (request.header("content-type") or "").lower().startswith(FORM):
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return [pair for pair in pairs if pair[0] != "Signature"]


def string_to_sign(method: str, pairs: Sequence[Pair]) -> str:
    """The text that the key signs; values end up encoded twice."""
    canonical = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(pairs))
    return f"{method}&%2F&{_encoded(canonical)}"


def sign(text: str, secret: str) -> str:
    """The signature of a string to sign, in base64."""
    return base64.b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), hashlib.sha1)).decode()


def verify_rpc(request: SignedRequest, credentials: Credentials, nonces: NonceLedger, *, now: float) -> None:
    """
    Return if the request may pass, at `now` in unix seconds.

    Raises: GatewayError with the vendor's code and HTTP status.
    """
    pairs = signed_pairs(request)
    given = dict(pairs)
    for name in ("AccessKeyId", "Timestamp", "SignatureNonce"):
        if not given.get(name):
            raise missing(name)
    if given.get("SignatureMethod") != "HMAC-SHA1" or given.get("SignatureVersion") != "1.0":
        raise GatewayError(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    verify_key(given["AccessKeyId"], credentials)
    verify_token(given.get("SecurityToken"), credentials, now=now)
    timestamp = verify_timestamp(given["Timestamp"], now)
    text = string_to_sign(request.method, pairs)
    shown = dict(parse_qsl(request.query)).get("Signature", "")
    if not hmac.compare_digest(shown.encode(), sign(text, credentials.access_key_secret).encode()):
        raise GatewayError(
            400,
            "SignatureDoesNotMatch",
            f"Specified signature is not matched with our calculation. server string to sign is:{text}",
        )
    verify_nonce(given["SignatureNonce"], nonces, timestamp=timestamp, now=now)


def _encoded(text: str) -> str:
    return quote(text, safe="~")
