"""
Does this request to the object store carry a valid signature? Pure: the time and the key's secret are given.

The store of the vendor has two signatures, and its SDKs send either:

    V1    Authorization: OSS <id>:<signature>            HMAC-SHA1
    V4    Authorization: OSS4-HMAC-SHA256 Credential=…   HMAC-SHA256, with a key made from date and region

Both sign the bucket and the object's key as they are, whatever their spelling in the URL: one SDK sends the slashes of
a key as they are, another as %2F. V4 signs all parameters, V1 those that name a part of what is asked for. Neither
signs the body.

Vendor: "Include signatures in the Authorization header" of Object Storage Service, V1 and V4.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, unquote

from consumer.emulator.errors import StoreError

ALGORITHM: Final = "OSS4-HMAC-SHA256"
MAX_SKEW: Final = 900.0
"""How far a request's date may be from the store's clock, in seconds."""

_V1: Final = re.compile(r"OSS +([^:\s]+):([A-Za-z0-9+/=]+)")
_V4: Final = re.compile(
    rf"{ALGORITHM} +Credential=([^/,\s]+)/(\d{{8}})/([^/,\s]+)/oss/aliyun_v4_request"
    r"(?:, *AdditionalHeaders=([^,\s]+))?, *Signature=([0-9a-f]{64})(?:, *AdditionalHeaders=([^,\s]+))?"
)
_SIGNED_BY_V1: Final = frozenset({"versionId"})
"""Of the parameters that the emulator's store knows."""
_ALWAYS_SIGNED: Final = frozenset({"content-type", "content-md5"})


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A request to the store without its body. Bucket and key are decoded; the query is as it came."""

    method: str
    bucket: str
    key: str
    query: str = field(default="", repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)

    def header(self, name: str) -> str | None:
        """The first value under a lower-case `name`, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def parameters(self) -> list[tuple[str, str]]:
        """The query, decoded."""
        pairs = (each.partition("=") for each in self.query.split("&") if each)
        return [(unquote(name), unquote(value)) for name, _, value in pairs]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who says that it signed a request, and how. The scope, date and region, is V4's; V1 has none."""

    key_id: str = field(repr=False)
    signature: str = field(repr=False)
    scope: tuple[str, str] | None = None
    additional: tuple[str, ...] = ()
    """Names of headers that V4 signed beside those it always signs."""


def read_claim(request: StoreRequest) -> Claim:
    """What the Authorization header says. Raises: StoreError, when there is none or it cannot be read."""
    value = request.header("authorization")
    if value is None:
        raise StoreError(403, "AccessDenied", "You have no right to access this object because of bucket acl.")
    if v1 := _V1.fullmatch(value):
        return Claim(key_id=v1[1], signature=v1[2])
    if v4 := _V4.fullmatch(value):
        additional = (v4[4] or v4[6] or "").split(";")
        return Claim(key_id=v4[1], signature=v4[5], scope=(v4[2], v4[3]), additional=tuple(filter(None, additional)))
    raise StoreError(400, "InvalidArgument", "Authorization header is invalid.")


def verify(request: StoreRequest, claim: Claim, secret: str, *, now: float) -> None:
    """
    Return if `secret` signed this request and its date is near `now`, in unix seconds.

    Raises: StoreError with the vendor's code and HTTP status.
    """
    if abs(now - _date_of(request, claim)) > MAX_SKEW:
        raise StoreError(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
    text = string_to_sign(request, claim)
    signed = sign_v1(text, secret) if claim.scope is None else sign_v4(text, secret, claim.scope)
    if not hmac.compare_digest(signed, claim.signature):
        raise StoreError(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            details={"SignatureProvided": claim.signature, "StringToSign": text},
        )


def string_to_sign(request: StoreRequest, claim: Claim) -> str:
    """The text that the key signs."""
    if claim.scope is None:
        return _string_to_sign_v1(request)
    date, region = claim.scope
    hashed = hashlib.sha256(_encode(canonical_request(request, claim.additional))).hexdigest()
    scope = f"{date}/{region}/oss/aliyun_v4_request"
    return f"{ALGORITHM}\n{request.header('x-oss-date') or ''}\n{scope}\n{hashed}"


def canonical_request(request: StoreRequest, additional: Sequence[str] = ()) -> str:
    """The text whose hash V4 signs."""
    parameters = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in request.parameters())
    query = "&".join(f"{name}={value}" if value else name for name, value in parameters)
    lines = _lines(request, _ALWAYS_SIGNED | set(additional))
    path = quote(f"/{request.bucket}/{request.key}", safe="/~")
    payload = request.header("x-oss-content-sha256") or ""
    return "\n".join((request.method, path, query, lines, ";".join(sorted(additional)), payload))


def sign_v1(text: str, secret: str) -> str:
    """The signature V1 of a string to sign: base64."""
    return base64.b64encode(hmac.new(_encode(secret), _encode(text), hashlib.sha1).digest()).decode()


def sign_v4(text: str, secret: str, scope: tuple[str, str]) -> str:
    """The signature V4 of a string to sign: lower-case hex."""
    key = _encode(f"aliyun_v4{secret}")
    for part in (*scope, "oss", "aliyun_v4_request"):
        key = hmac.new(key, _encode(part), hashlib.sha256).digest()
    return hmac.new(key, _encode(text), hashlib.sha256).hexdigest()


def _string_to_sign_v1(request: StoreRequest) -> str:
    named = sorted((name, value) for name, value in request.parameters() if name in _SIGNED_BY_V1)
    query = "&".join(f"{name}={value}" if value else name for name, value in named)
    return "\n".join(
        (
            request.method,
            request.header("content-md5") or "",
            request.header("content-type") or "",
            request.header("x-oss-date") or request.header("date") or "",
            f"{_lines(request)}/{request.bucket}/{request.key}" + (f"?{query}" if query else ""),
        )
    )


def _lines(request: StoreRequest, names: Collection[str] = ()) -> str:
    """The headers of the store itself, and those of `names`, each on a line, by name."""
    signed = sorted(
        (name.lower(), value.strip())
        for name, value in request.headers
        if name.lower().startswith("x-oss-") or name.lower() in names
    )
    return "".join(f"{name}:{value}\n" for name, value in signed)


def _date_of(request: StoreRequest, claim: Claim) -> float:
    try:
        if claim.scope is None:
            said = request.header("x-oss-date") or request.header("date") or ""
            return parsedate_to_datetime(said).replace(tzinfo=UTC).timestamp()  # HTTP dates are GMT
        said = request.header("x-oss-date") or ""
        if said[:8] != claim.scope[0]:
            raise _undated()
        return datetime.strptime(said, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise _undated() from error


def _undated() -> StoreError:
    return StoreError(403, "AccessDenied", "OSS authentication requires a valid Date.")


def _encode(text: str) -> bytes:
    # aiohttp decodes header bytes that are not UTF-8 with surrogates: they are signed as they came.
    return text.encode("utf-8", "surrogateescape")
