"""
Whether a request to a private bucket of S3 is signed with a key of it: AWS4-HMAC-SHA256, in its headers. Pure.

Written after Amazon's documentation, with nothing of the service's code: what the service signs wrongly is refused.

Vendor: "Authenticating Requests (AWS Signature Version 4)" of Amazon S3. The path is signed decoded and encoded again,
whatever its spelling; Host and every x-amz-* header must be signed.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

ALGORITHM: Final = "AWS4-HMAC-SHA256"
MAX_SKEW: Final = 900.0
"""How far a request's date may be from the bucket's clock, in seconds."""

_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} Credential=([^/,\s]+)/(\d{{8}})/([^/,\s]+)/s3/aws4_request, *"
    r"SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})"
)
_NO_BODY: Final = frozenset({hashlib.sha256(b"").hexdigest(), "UNSIGNED-PAYLOAD"})
"""What a request may say of a body that it does not have."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key of the bucket, and the region that signatures with it name."""

    id: str
    secret: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class BucketRequest:
    """A request without a body, its path and query as they came."""

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)

    def header(self, name: str) -> str | None:
        """What stands under a lower-case `name`, several values with commas between, or None."""
        values = [" ".join(value.split()) for key, value in self.headers if key.lower() == name]
        return ",".join(values) if values else None


class Refusal(NamedTuple):
    """An HTTP status, and S3's code for why."""

    status: int
    code: str


def refusal(request: BucketRequest, key: AccessKey, *, now: float) -> Refusal | None:
    """Say why a request is refused at `now`, in unix seconds; None where it carries the key's signature."""
    said = request.header("authorization")
    if said is None:
        return Refusal(403, "AccessDenied")
    claim = _AUTHORIZATION.fullmatch(said)
    if claim is None or claim[3] != key.region:
        return Refusal(400, "AuthorizationHeaderMalformed")
    if claim[1] != key.id:
        return Refusal(403, "InvalidAccessKeyId")
    moment, names = request.header("x-amz-date") or "", claim[4].split(";")
    if not _is_near(moment, now) or moment[:8] != claim[2]:
        return Refusal(403, "RequestTimeTooSkewed")
    if not _must_sign(request) <= set(names):
        return Refusal(403, "AccessDenied")
    if request.header("x-amz-content-sha256") not in _NO_BODY:
        return Refusal(400, "XAmzContentSHA256Mismatch")
    if not hmac.compare_digest(_signature(request, key, moment, names), claim[5]):
        return Refusal(403, "SignatureDoesNotMatch")
    return None


def _must_sign(request: BucketRequest) -> set[str]:
    return {"host"} | {name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-")}


def _is_near(moment: str, now: float) -> bool:
    try:
        dated = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - dated.timestamp()) <= MAX_SKEW


def _signature(request: BucketRequest, key: AccessKey, moment: str, names: Sequence[str]) -> str:
    scope = (moment[:8], key.region, "s3", "aws4_request")
    hashed = hashlib.sha256(_canonical(request, names).encode()).hexdigest()
    text = "\n".join((ALGORITHM, moment, "/".join(scope), hashed))
    return _derived(reduce(_derived, scope, f"AWS4{key.secret}".encode()), text).hex()


def _canonical(request: BucketRequest, names: Sequence[str]) -> str:
    """The request in the one way of writing it that is signed."""
    pairs = (each.partition("=") for each in request.query.replace("+", " ").split("&") if each)
    query = "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs))
    lines = (f"{name}:{request.header(name) or ''}" for name in names)
    payload = request.header("x-amz-content-sha256") or ""
    return "\n".join((request.method, _encoded(request.path, "/"), query, *lines, "", ";".join(names), payload))


def _encoded(text: str, safe: str = "") -> str:
    return quote(unquote_to_bytes(text), safe=f"~{safe}")


def _derived(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
