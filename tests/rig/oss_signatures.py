"""
A second opinion on signatures for the vendor's object store, V1 and V4: written after the description of both, with no
code of the service, of its emulator or of the vendor's SDKs.

    V1  base64(HMAC-SHA1(secret, verb, Content-MD5, Content-Type, date, x-oss-* lines and resource, each on a line))
    V4  hex(HMAC-SHA256(key of day, region and store, algorithm, date, scope and hash of the request, each on a line))

Both sign the object's key, and values of parameters, as they are, whatever their spelling in the URL: what sends a
request may write it anew once it was signed.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

_PARTS_OF_AN_OBJECT = {"acl", "append", "position", "partNumber", "uploadId", "uploads", "versionId", "security-token"}
"""Parameters that V1 signs: those that say which part of an object is meant. V4 signs all."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it went over the wire, its bucket in the path. Names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)

    @property
    def key_id(self) -> str:
        """Whose key it claims to be signed with."""
        _, _, rest = self.headers["authorization"].partition(" ")
        return rest.partition("Credential=")[2].partition("/")[0] if "Credential=" in rest else rest.partition(":")[0]

    @property
    def version(self) -> str:
        """`V1` or `V4`."""
        return "V4" if self.headers["authorization"].startswith("OSS4-HMAC-SHA256 ") else "V1"


def is_signed(sent: Sent, secret: str) -> bool:
    """Whether the secret signed the request."""
    path, _, query = sent.target.partition("?")
    pairs = [(unquote(name), unquote(value)) for name, _, value in (each.partition("=") for each in query.split("&"))]
    signed = _by_v4 if sent.version == "V4" else _by_v1
    return signed(sent, unquote(path), pairs, secret)


def _by_v1(sent: Sent, resource: str, pairs: list[tuple[str, str]], secret: str) -> bool:
    parts = [(name, value) for name, value in pairs if name in _PARTS_OF_AN_OBJECT]
    if parts:
        resource += f"?{_query(parts)}"
    head = sent.headers
    date = head.get("x-oss-date") or head.get("date", "")
    lines = [sent.method, head.get("content-md5", ""), head.get("content-type", ""), date]
    lines += [f"{name}:{head[name]}" for name in sorted(head) if name.startswith("x-oss-")]
    digest = hmac.new(secret.encode(), "\n".join([*lines, resource]).encode(), "sha1").digest()
    return head["authorization"].rpartition(":")[2] == base64.b64encode(digest).decode()


def _by_v4(sent: Sent, resource: str, pairs: list[tuple[str, str]], secret: str) -> bool:
    claim = dict(each.strip().split("=", 1) for each in sent.headers["authorization"].partition(" ")[2].split(","))
    _, day, region, *rest = claim["Credential"].split("/")
    more = claim.get("AdditionalHeaders", "")
    always = {name for name in sent.headers if name.startswith("x-oss-")} | {"content-type", "content-md5"}
    names = sorted((always | set(more.split(";"))) & sent.headers.keys())
    request = [sent.method, _encoded(resource, "/"), _query((_encoded(name), _encoded(value)) for name, value in pairs)]
    request += [*(f"{name}:{sent.headers[name].strip()}" for name in names), "", more, "UNSIGNED-PAYLOAD"]
    hashed = hashlib.sha256("\n".join(request).encode()).hexdigest()
    text = ["OSS4-HMAC-SHA256", sent.headers["x-oss-date"], "/".join((day, region, *rest)), hashed]
    key = ("aliyun_v4" + secret).encode()
    for part in (day, region, "oss", "aliyun_v4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return claim["Signature"] == hmac.new(key, "\n".join(text).encode(), "sha256").hexdigest()


def _query(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" if value else name for name, value in sorted(pairs))


def _encoded(text: str, safe: str = "") -> str:
    return quote(text, safe=f"~{safe}")
