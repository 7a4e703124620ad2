"""
Does this request carry a valid signature? Pure: the time and the nonces seen are given.

Checks run in the order key → timestamp → signature → nonce, so a nonce is used up only by a request that its owner
really signed. The canonical request is built from what arrived: the names come from the request's own SignedHeaders
(the official Python SDK signs every header it sets, other clients only the documented ones), the query from its
decoded pairs (clients spell the same value differently on the wire), the payload from the body's exact bytes.

Vendor: "V3 request body and signature mechanism", ACS3-HMAC-SHA256.
"""

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote

from consumer.emulator.errors import GatewayError, missing

ALGORITHM: Final = "ACS3-HMAC-SHA256"
VALIDITY: Final = 900.0
"""How far a request's timestamp may be from the provider's clock, in seconds."""

_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} +Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{{64}})"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account that may call. With a token, its key is a temporary one and every call must carry the token."""

    access_key_id: str = field(repr=False)
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    token_expiry: float | None = None
    """When the token expires, in unix seconds; None: never."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came over the wire: raw path and query text, headers in their order, the body's bytes."""

    method: str
    path: str
    query: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The first value under a lower-case `name`, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(slots=True)
class NonceLedger:
    """The nonces that a replayed request could still use: those whose timestamp is inside the validity."""

    _expiry: OrderedDict[str, float] = field(default_factory=OrderedDict)  # a dict is slow at losing its oldest

    def use(self, nonce: str, *, timestamp: float, now: float) -> bool:
        """Note `nonce` as used. False: it was used before."""
        self._forget(now)
        if nonce in self._expiry:
            return False
        self._expiry[nonce] = timestamp + VALIDITY
        return True

    def _forget(self, now: float) -> None:
        # Arrival order is nearly expiry order. One dated ahead keeps those behind it a little longer, never shorter.
        while self._expiry and next(iter(self._expiry.values())) < now:
            self._expiry.popitem(last=False)


def verify(request: SignedRequest, credentials: Credentials, nonces: NonceLedger, *, now: float) -> None:
    """
    Return if the request may pass, at `now` in unix seconds.

    Raises: GatewayError with the vendor's code and HTTP status.
    """
    key_id, signed_names, signature = _parse_authorization(request.header("authorization"))
    verify_key(key_id, credentials)
    verify_token(request.header("x-acs-security-token"), credentials, now=now)
    timestamp = verify_timestamp(request.header("x-acs-date"), now)
    nonce = request.header("x-acs-signature-nonce")
    if not nonce:
        raise missing("SignatureNonce")
    _verify_signature(request, signed_names, signature, credentials.access_key_secret)
    verify_nonce(nonce, nonces, timestamp=timestamp, now=now)


def canonical_request(request: SignedRequest, signed_names: Sequence[str]) -> str:
    """The text whose hash is signed. `signed_names` are lower-case and sorted."""
    values: dict[str, list[str]] = {}
    for name, value in request.headers:
        values.setdefault(name.lower(), []).append(value.strip())
    headers = "".join(f"{name}:{','.join(sorted(values.get(name, [])))}\n" for name in signed_names)
    pairs = sorted(parse_qsl(request.query, keep_blank_values=True))
    query = "&".join(f"{_percent_encode(name)}={_percent_encode(value)}" for name, value in pairs)
    return "\n".join((request.method, request.path, query, headers, ";".join(signed_names), sha256_hex(request.body)))


def string_to_sign(canonical: str) -> str:
    """The text that the key signs."""
    return f"{ALGORITHM}\n{sha256_hex(_encode(canonical))}"


def sign(text: str, secret: str) -> str:
    """The signature of a string to sign: lower-case hex."""
    return hmac.new(_encode(secret), _encode(text), hashlib.sha256).hexdigest()


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of `data` in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def _parse_authorization(value: str | None) -> tuple[str, list[str], str]:
    if value is None:
        raise missing("AccessKeyId")
    match = _AUTHORIZATION.fullmatch(value)
    if match is None:
        raise _incomplete()
    key_id, names, signature = match.groups()
    return key_id, names.split(";"), signature


def verify_key(key_id: str, credentials: Credentials) -> None:
    """Refuse the key of nobody. Raises: GatewayError."""
    if key_id != credentials.access_key_id:
        raise GatewayError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")


def verify_timestamp(value: str | None, now: float) -> float:
    """The moment that a request names, in unix seconds. Raises: GatewayError, where it is none or far from `now`."""
    return verify_age(_parse_timestamp(value), now)


def verify_age(timestamp: float, now: float) -> float:
    """The same moment. Raises: GatewayError, where it is far from `now`; both in unix seconds."""
    if abs(now - timestamp) > VALIDITY:
        raise GatewayError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    return timestamp


def verify_nonce(nonce: str, nonces: NonceLedger, *, timestamp: float, now: float) -> None:
    """Use up a nonce. Raises: GatewayError, where it was used before."""
    if not nonces.use(nonce, timestamp=timestamp, now=now):
        raise GatewayError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")


def verify_token(token: str | None, credentials: Credentials, *, now: float) -> None:
    """Refuse a temporary key without its token, a token of another key, and an expired one. Raises: GatewayError."""
    if token is None and credentials.security_token is not None:
        raise GatewayError(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
    if token != credentials.security_token:
        raise GatewayError(
            400,
            "InvalidSecurityToken.MismatchWithAccessKey",
            "Specified SecurityToken mismatch with the AccessKey.",
        )
    if credentials.token_expiry is not None and now >= credentials.token_expiry:
        raise GatewayError(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")


def _parse_timestamp(value: str | None) -> float:
    if value is None:
        raise missing("Timestamp")
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise GatewayError(
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        ) from error


def _verify_signature(request: SignedRequest, signed_names: list[str], signature: str, secret: str) -> None:
    if signed_names != sorted(signed_names) or not _must_be_signed(request) <= set(signed_names):
        raise _incomplete()
    canonical = canonical_request(request, signed_names)
    stated_hash = request.header("x-acs-content-sha256")
    if stated_hash != sha256_hex(request.body) or not hmac.compare_digest(
        signature, sign(string_to_sign(canonical), secret)
    ):
        raise signature_mismatch(canonical)


def signature_mismatch(canonical: str) -> GatewayError:
    """The refusal of a wrong signature; it shows what the provider computed."""
    # aliyun-python-sdk-core 2.16.1 reads Message.split(":")[1] on this code and fails without a colon.
    return GatewayError(
        400,
        "SignatureDoesNotMatch",
        "Specified signature does not match our calculation. "
        f"server StringToSign is:[{string_to_sign(canonical)}], server CanonicalRequest is:[{canonical}]",
    )


def _must_be_signed(request: SignedRequest) -> set[str]:
    """Vendor: host, every x-acs header, and the content type where there is a body."""
    names = {"host"} | {name.lower() for name, _ in request.headers if name.lower().startswith("x-acs-")}
    # The official async client (darabonba-core 1.0.9 over aiohttp) adds an unsigned content type to empty bodies.
    return names | {"content-type"} if request.body else names


def _incomplete() -> GatewayError:
    return GatewayError(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")


def _percent_encode(text: str) -> str:
    return quote(text, safe="~", errors="surrogateescape")


def _encode(text: str) -> bytes:
    # aiohttp decodes header bytes that are not UTF-8 with surrogates: they hash as they came.
    return text.encode("utf-8", "surrogateescape")
