"""What the provider sends back: the two JSON shapes of its API, and the XML of its object store."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

import orjson
from pydantic import JsonValue

from consumer.emulator.errors import GatewayError, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer, and what it means: the code in it, and whether the call is charged."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes
    code: int | str
    billed: bool = False
    trickle: float = 0.0
    """Seconds over which the body is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No answer: the connection is cut at once, or held until the client leaves it. The call may be charged."""

    held: bool
    code: int | str
    billed: bool = False


def gateway_reply(error: GatewayError, request_id: str, host: str) -> Reply:
    """A refusal of the gateway."""
    body = {
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        # It may repeat a header that is not UTF-8.
        "Message": error.message.encode("utf-8", "replace").decode(),
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={error.code}&product=Green&requestId={request_id}",
    }
    return Reply(
        http_status=error.status,
        headers={**headers_of(request_id), **error.headers},
        body=orjson.dumps(body),
        code=error.code,
    )


def service_reply(
    code: int, message: str, request_id: str, data: Mapping[str, JsonValue] | None = None, *, billed: bool = False
) -> Reply:
    """An answer of the service: HTTP 200 whatever its code."""
    body: dict[str, object] = {"RequestId": request_id, "Code": code, "Msg": message}
    if data is not None:
        body["Data"] = data
    return Reply(
        http_status=200,
        headers=headers_of(request_id),
        body=orjson.dumps(body),
        code=code,
        billed=billed,
    )


def library_reply(request_id: str, members: Mapping[str, JsonValue]) -> Reply:
    """An answer about libraries, with every spelling that the pages and the SDKs read."""
    body = {"RequestId": request_id, "requestId": request_id, "code": 200, "msg": "OK", **members}
    return Reply(http_status=200, headers=headers_of(request_id), body=orjson.dumps(body), code=200)


def library_refusal(code: int, message: str, request_id: str) -> Reply:
    """A refusal behind the gateway: assumed to be of the same shape, with HTTP 200."""
    body = {"RequestId": request_id, "requestId": request_id, "code": code, "msg": message}
    return Reply(http_status=200, headers=headers_of(request_id), body=orjson.dumps(body), code=code)


def stored_reply(etag: str, request_id: str) -> Reply:
    """The store's answer to an object that it took. No checksum of its own, which clients would compare."""
    headers = {"ETag": f'"{etag}"', "x-oss-request-id": request_id}
    return Reply(http_status=200, headers=headers, body=b"", code="Stored")


def store_refusal(error: StoreError, request_id: str, host: str) -> Reply:
    """A refusal of the store."""
    elements = {
        "Code": error.code, "Message": error.message, "RequestId": request_id, "HostId": host, **error.details
    }  # fmt: skip
    inside = "".join(f"  <{name}>{escape(text)}</{name}>\n" for name, text in elements.items())
    return Reply(
        http_status=error.status,
        headers={"Content-Type": "application/xml", "x-oss-request-id": request_id},
        body=f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n{inside}</Error>\n'.encode("utf-8", "replace"),
        code=error.code,
    )


def headers_of(request_id: str) -> dict[str, str]:
    """The headers of every answer of the API."""
    return {"Content-Type": "application/json;charset=utf-8", "x-acs-request-id": request_id}
