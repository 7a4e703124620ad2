"""
Which failure an answer is: the provider's codes sorted by what is done about them. A table and a function, no more.

Two layers answer. The gateway refuses with an HTTP status and a `Code` that is a word; the service answers HTTP 200 and
a `Code` that is a number. Both are looked at, and neither alone makes a success. A code that stands nowhere here is the
provider's fault: the work waits, and nothing is decided by an accident.
"""

import re
from collections.abc import Mapping

from consumer.errors import (
    AccountRefused,
    CallFailed,
    ClockOff,
    ImageRefused,
    InputRefused,
    NonceUsed,
    ProviderFailed,
    Throttled,
    Unreachable,
)

# Vendor: the codes of Image Moderation 2.0's service layer.
SERVICE_CODES: Mapping[int, type[CallFailed]] = {
    400: InputRefused,  # a parameter is empty
    401: InputRefused,  # a parameter is invalid
    402: InputRefused,  # a parameter is too long
    403: Throttled,  # QPS exceeded
    404: Unreachable,  # download failed
    405: Unreachable,  # download timed out
    406: ImageRefused,  # too large
    407: ImageRefused,  # format not supported
    408: AccountRefused,  # no permission, not activated, or overdue: not a timeout
    500: ProviderFailed,
}

# Vendor: the gateway's words, by their beginning; the first that fits counts.
GATEWAY_CODES: tuple[tuple[str, type[CallFailed]], ...] = (
    ("InvalidAccessKeyId", AccountRefused),
    ("SignatureDoesNotMatch", AccountRefused),
    ("IncompleteSignature", AccountRefused),
    ("Forbidden", AccountRefused),
    ("NoPermission", AccountRefused),
    ("InvalidSecurityToken", AccountRefused),
    ("MissingSecurityToken", AccountRefused),
    ("InvalidVersion", AccountRefused),
    ("InvalidAction", AccountRefused),
    ("InvalidApi", AccountRefused),
    ("InvalidTimeStamp", ClockOff),
    ("SignatureNonceUsed", NonceUsed),
    ("Missing", InputRefused),
    ("Invalid", InputRefused),
)

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def failure_of(
    status: int,
    code: int | str | None,
    retry_after: float = 0.0,
    service_codes: Mapping[int, type[CallFailed]] = SERVICE_CODES,
) -> CallFailed:
    """
    Sort an answer that is no success.

    `code` is the body's, a number or a word; `retry_after` the seconds of the vendor's `x-acs-retry-after`, which marks
    any error as throttling. Numbers mean what the API's own `service_codes` say, whatever the HTTP status below 500.
    """
    name = _name(status, code)
    if retry_after > 0 or (isinstance(code, str) and code.startswith("Throttling")):
        return Throttled(name, retry_after=retry_after)
    if status >= 500 or code is None:
        return ProviderFailed(name)  # a failing gateway may name anything: its 5xx counts before its words
    if isinstance(code, int):
        return service_codes.get(code, ProviderFailed)(name)
    return next((kind for start, kind in GATEWAY_CODES if code.startswith(start)), ProviderFailed)(name)


def _name(status: int, code: int | str | None) -> str:
    """Name a failure without the provider's free text, which echoes keys and parameters."""
    if code is None or not _PLAIN.fullmatch(str(code)):
        return f"http_{status}"
    return str(code)
