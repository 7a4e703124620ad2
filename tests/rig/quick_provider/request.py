"""
Reads one HTTP/1.1 request with a Content-Length. Knows no sockets, and no chunked bodies: the clients here send none.
"""

import re
from typing import NamedTuple

_HEAD_END = b"\r\n\r\n"
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n|$)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_ACTION = re.compile(rb"\r\nx-acs-action:[ \t]*(\w+)", re.IGNORECASE)
_CALLER = re.compile(rb"\r\nauthorization:[^\r\n]*Credential=([^,\r\n]+)", re.IGNORECASE)
_DATE = re.compile(rb"\r\nx-acs-date:[ \t]*([0-9TZ:-]+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close\b", re.IGNORECASE)


class BadRequest(ValueError):
    """These bytes are no request that the stand-in reads."""


class Request(NamedTuple):
    """What the stand-in looks at in a request."""

    method: bytes
    path: bytes
    action: bytes
    """The header `x-acs-action`; empty without it."""

    body: bytes
    closes: bool
    """Whether the client asked for the connection to be closed after the answer."""

    caller: str
    """The access key id in the signature, which is not checked; empty without one."""

    signed: str
    """The header `x-acs-date`; empty without it."""


def read_request(data: bytes) -> Request | None:
    """
    Return the request that `data` is, or None while some of it is missing.

    Raises:
        BadRequest: the body is chunked, the request line is broken, or more follows than the request.
    """
    head_end = data.find(_HEAD_END)
    if head_end < 0:
        return None
    head = data[:head_end]
    if _CHUNKED.search(head):
        raise BadRequest("chunked bodies are not read")
    length = _CONTENT_LENGTH.search(head)
    end = head_end + len(_HEAD_END) + (int(length[1]) if length else 0)
    if len(data) < end:
        return None
    if len(data) > end:
        raise BadRequest("a second request began before the first was answered")
    line = head.partition(b"\r\n")[0].split(b" ")
    if len(line) != 3:
        raise BadRequest("the request line has not three parts")
    action, caller, date = _ACTION.search(head), _CALLER.search(head), _DATE.search(head)
    return Request(
        method=line[0],
        path=line[1].partition(b"?")[0],
        action=action[1] if action else b"",
        body=data[head_end + len(_HEAD_END) : end],
        closes=_CLOSE.search(head) is not None,
        caller=caller[1].decode(errors="replace") if caller else "",
        signed=date[1].decode() if date else "",
    )
