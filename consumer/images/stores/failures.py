"""
What a store's answer that is no object means: something is with the object, with the store, or with its account. Pure.

No byte of an answer is passed on but its code.
"""

import re

from consumer.errors import AccountRefused, ClockOff
from consumer.images.errors import NotFetched
from consumer.images.failures import of_status
from consumer.vendor_facts.stores import ACCOUNT_CODES, CLOCK_CODES

MOST_BODY = 65_536  # bytes of such an answer that are read
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9._-]{1,64})\s*</Code>")

_BY_CODE = {
    "NoSuchKey": "not_found",
    "NoSuchVersion": "not_found",
    "MethodNotAllowed": "not_found",  # the version that was asked for says that the object was deleted
    "AccessDenied": "denied",
    "InvalidObjectState": "archived",
    "PreconditionFailed": "changed",
}
_MAY_PASS = frozenset(
    {
        "InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling",
        "TemporaryRedirect", "TooManyRequests",
    }
)  # fmt: skip
_PRECONDITION_FAILED, _UNAUTHORIZED = 412, 401


def code_in(body: bytes | bytearray) -> str:
    """The code of an answer in XML; empty where it has none."""
    found = _CODE.search(body)
    return found[1].decode() if found else ""


def failure_of(status: int, code: str, store: str, account_codes: frozenset[str]) -> NotFetched | AccountRefused:
    """Sort an answer that is no object; `account_codes` are those that only this kind of store has."""
    detail = f"the store {store} answers {code or status}"
    if code in CLOCK_CODES:
        return ClockOff(code, detail=detail)
    if code in ACCOUNT_CODES | account_codes or (status == _UNAUTHORIZED and code not in _BY_CODE):
        return AccountRefused(code or f"http_{status}", detail=detail)
    if word := _BY_CODE.get(code):
        return NotFetched(word, detail=detail)
    if status == _PRECONDITION_FAILED:
        return NotFetched("changed", detail=detail)
    failure = of_status(status, None)
    return NotFetched(failure.code, again=failure.again or code in _MAY_PASS, detail=detail)
