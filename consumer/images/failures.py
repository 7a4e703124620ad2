"""
What went wrong on the way to an image, sorted: which word, and whether to try again. Values only.

The details are our own words, OpenSSL's and the system's: no byte that came from the network is in them.
"""

import ssl

import aiohttp

from consumer.images.errors import NotFetched
from consumer.images.guard import Hop
from consumer.network import is_before, said_of, says_unknown
from consumer.proxies import Proxy

_BY_STATUS = {401: "denied", 403: "denied", 404: "not_found", 410: "not_found"}
_MAY_PASS = {408, 425, 429}  # RFC 9110 and 6585: too slow, too early, too many; and all from 500 on
_PROXY_AUTHENTICATION = 407
_FORBIDDEN = 403


def of_status(status: int, proxy: Proxy | None) -> NotFetched:
    """Sort the status of an answer that is no image."""
    if status == _PROXY_AUTHENTICATION and proxy is not None:
        return _of_proxy(status)
    word = _BY_STATUS.get(status, f"http_{status}")
    return NotFetched(word, again=status >= 500 or status in _MAY_PASS, answered=True)


def of_error(error: BaseException, hop: Hop, proxy: Proxy | None) -> NotFetched:
    """Sort what aiohttp raised before there was an answer."""
    if hop.was_refused:
        return NotFetched("address_refused", detail=f"{hop.host} has {', '.join(hop.refused)}")
    if isinstance(error, TimeoutError):
        return NotFetched("timeout", again=True, detail="while connecting")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _of_proxy(error.status)
    if proxy is not None and is_before(error, proxy):
        return NotFetched("proxy", again=True, detail=said_of(error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotFetched("dns", again=not says_unknown(error), detail=said_of(error))
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        is_certificate = isinstance(error, aiohttp.ClientConnectorCertificateError)
        return NotFetched("tls", again=not is_certificate, detail=said_of(error))
    if isinstance(error, aiohttp.ServerDisconnectedError | OSError):
        return NotFetched("connect", again=True, detail=said_of(error))
    return NotFetched("not_http", detail="answers no HTTP")


def of_broken_body(error: BaseException) -> NotFetched:
    """Sort what aiohttp raised while an image came."""
    return NotFetched("truncated", again=True, detail=said_of(error), answered=True)


def _of_proxy(status: int) -> NotFetched:
    """A proxy that forbids a host does so the next time too. One that wants another user lets nothing through."""
    is_up = status != _PROXY_AUTHENTICATION
    return NotFetched("proxy", again=status != _FORBIDDEN, detail=f"refuses with {status}", answered=is_up)
