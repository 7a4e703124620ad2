"""
What a store's answer that is no object means: something is with the object, with the store, or with its account. Pure.

    a code that is about an object   →  the object's
    an outage, or to come later      →  the store's, and may pass
    any other code                   →  the account's: what the operator has said of the store, or its rights
    no code                          →  it may not be the store that answers: may pass

No byte of an answer is passed on but its code.
"""

import re
from typing import NamedTuple

from consumer.errors import AccountRefused, ClockOff
from consumer.images.errors import NotFetched
from consumer.images.failures import of_status
from consumer.proxies import Proxy
from consumer.vendor_facts.stores import CLOCK_CODES, DENIED, MAY_PASS, OF_OBJECTS, OTHER_ENDPOINT, THROTTLED

MOST_BODY = 65_536  # bytes of such an answer that are read
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9._-]{1,64})\s*</Code>")
_KEY = re.compile(rb"<Key>([^<]{1,8192})</Key>")
_PRECONDITION_FAILED, _UNAUTHORIZED, _PROXY_AUTHENTICATION = 412, 401, 407
_THROTTLED = {429, 503}


class Refusal(NamedTuple):
    """An answer that is no object: its status, its code or nothing, and whether it names another endpoint."""

    status: int
    code: str = ""
    names_endpoint: bool = False


def refusal_in(status: int, body: bytes | bytearray) -> Refusal:
    """Read an answer, or as much of it as has come."""
    found = _CODE.search(body)
    return Refusal(status, found[1].decode() if found else "", b"<Endpoint>" in body)


def is_whole(refusal: Refusal, body: bytes | bytearray) -> bool:
    """Whether what has come of an answer says all that is read of it."""
    return refusal.code not in ("", DENIED) or refusal.names_endpoint or b"</Error>" in body


def listed_key(body: bytes) -> str | None:
    """The first key of a list; None where there is none that stands there as it is."""
    found = _KEY.search(body)
    if found is None or b"&" in found[1]:
        return None
    try:
        return found[1].decode()
    except UnicodeDecodeError:
        return None


def failure_of(refusal: Refusal, store: str, proxy: Proxy | None = None) -> NotFetched | AccountRefused:
    """Sort an answer that is no object; `proxy` is what a store without TLS was asked through."""
    status, code, names_endpoint = refusal
    detail = f"the store {store} answers {code or status}"
    failure = of_status(status, proxy)
    if status == _PROXY_AUTHENTICATION and proxy is not None:
        return failure
    if code in CLOCK_CODES:
        return ClockOff(code, detail=detail)
    if code == DENIED and names_endpoint:
        return AccountRefused(OTHER_ENDPOINT, detail=f"{detail}: the bucket has another endpoint")
    if word := OF_OBJECTS.get(code):
        return NotFetched(word, detail=detail, answered=True)
    if status == _PRECONDITION_FAILED and not code:
        return NotFetched("changed", detail=detail, answered=True)
    if code in THROTTLED or status in _THROTTLED:
        return NotFetched(f"http_{status}", again=True, detail=detail, throttled=True)
    if failure.again or code in MAY_PASS or (not code and status != _UNAUTHORIZED):
        return NotFetched(f"http_{status}", again=True, detail=detail)
    return AccountRefused(code or f"http_{status}", detail=detail)
