"""What the provider sends back, in the two JSON shapes that it has."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from pydantic import JsonValue

from consumer.emulator.errors import GatewayError


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
        "Message": error.message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={error.code}&product=Green&requestId={request_id}",
    }
    return Reply(
        http_status=error.status,
        headers={**_headers(request_id), **error.headers},
        body=orjson.dumps(body),
        code=error.code,
    )


def service_reply(code: int, message: str, request_id: str, data: Mapping[str, JsonValue] | None = None) -> Reply:
    """An answer of the service: HTTP 200 whatever its code. With `data` it is a judgement, and charged."""
    body: dict[str, object] = {"RequestId": request_id, "Code": code, "Msg": message}
    if data is not None:
        body["Data"] = data
    return Reply(
        http_status=200,
        headers=_headers(request_id),
        body=orjson.dumps(body),
        code=code,
        billed=data is not None,
    )


def _headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": "application/json;charset=utf-8", "x-acs-request-id": request_id}
