"""
The codes of the 1.0 API, and the envelope around its answers. Pure.

Vendor: the code stands in the envelope and in each task, as a number; the HTTP status is 200 for all of them. Which
code an image that cannot be fetched has is not documented: here 480 by URL and 404 in a bucket, 592 where it takes too
long, 596 in a bucket that the account has not authorised.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from consumer.emulator.errors import ServiceError
from consumer.emulator.replies import Reply, headers_of

OK: Final = 200
PROCESSING: Final = 280
BAD_REQUEST: Final = 400
NOT_ALLOWED: Final = 401
NOT_FOUND: Final = 404
EXCEED_QUOTA: Final = 588
EXPIRED: Final = 594

NAMES: Final[Mapping[int, str]] = {
    200: "OK", 280: "PROCESSING", 400: "BAD_REQUEST", 401: "NOT_ALLOWED", 403: "FORBIDDEN", 404: "NOT_FOUND",
    480: "DOWNLOAD_FAILED", 500: "GENERAL_ERROR", 503: "ServiceUnavailable", 580: "DB_FAILED", 581: "TIMEOUT",
    585: "CACHE_FAILED", 586: "ALGO_FAILED", 587: "MQ_FAILED", 588: "EXCEED_QUOTA", 589: "TOO_LARGE",
    590: "BAD_FORMAT", 591: "CONNECTION_POOL_FULL", 592: "DOWNLOAD_TIMEOUT", 594: "EXPIRED",
    595: "CATCH_FRAME_FAILED", 596: "PERMISSION_DENY",
}  # fmt: skip

_OF_2_0: Final[Mapping[int, int]] = {405: 592, 406: 589, 407: 590, 408: 596}
"""What 2.0 and 1.0 say of the same image."""


class ScanError(Exception):
    """A call, or one of its tasks, is refused with a code. Never billed."""

    def __init__(self, code: int, why: str = "") -> None:
        name = NAMES.get(code, "ERROR")
        self.code = code
        self.message = f"{name} - {why}" if why else name
        super().__init__(f"{code}: {self.message}")


def translated(error: ServiceError, *, by_url: bool) -> ScanError:
    """What 1.0 says where an image is not there, or is none."""
    if error.code == NOT_FOUND:
        return ScanError(480 if by_url else NOT_FOUND, error.message)
    return ScanError(_OF_2_0.get(error.code, error.code), error.message)


def envelope(request_id: str, data: Any = None, *, billed: bool = False) -> Reply:
    """An answer that says 200, with what the tasks say."""
    return _enveloped(OK, NAMES[OK], request_id, {"data": data}, billed=billed)


def refusal(error: ScanError, request_id: str) -> Reply:
    """An answer that refuses the whole call."""
    return _enveloped(error.code, error.message, request_id, {}, billed=False)


def _enveloped(code: int, message: str, request_id: str, more: Mapping[str, Any], *, billed: bool) -> Reply:
    body = {"code": code, "msg": message, "requestId": request_id, **more}
    return Reply(http_status=200, headers=headers_of(request_id), body=orjson.dumps(body), code=code, billed=billed)
