"""
What went wrong on the way to an image, sorted: which word, and whether to try again. Values only.

The details are our own words, OpenSSL's and the system's: no byte that came from the network is in them.
"""

import os
import socket
import ssl

import aiohttp

from consumer.images.errors import NotFetched
from consumer.images.guard import Hop
from consumer.proxies import Proxy

_BY_STATUS = {401: "denied", 403: "denied", 404: "not_found", 410: "not_found"}
_MAY_PASS = {408, 425, 429}  # RFC 9110 and 6585: too slow, too early, too many; and all from 500 on
_PROXY_AUTHENTICATION = 407
_FORBIDDEN = 403
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}  # the second is not everywhere


def of_status(status: int, proxy: Proxy | None) -> NotFetched:
    """Sort the status of an answer that is no image."""
    if status == _PROXY_AUTHENTICATION and proxy is not None:
        return _of_proxy(status)
    return NotFetched(_BY_STATUS.get(status, f"http_{status}"), again=status >= 500 or status in _MAY_PASS)


def of_error(error: BaseException, hop: Hop, proxy: Proxy | None) -> NotFetched:
    """Sort what aiohttp raised before there was an answer."""
    if hop.was_refused:
        return NotFetched("address_refused", detail=f"{hop.host} has {', '.join(hop.refused)}")
    if isinstance(error, TimeoutError):
        return NotFetched("timeout", again=True, detail="while connecting")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _of_proxy(error.status)
    if proxy is not None and _is_before(error, proxy):
        return NotFetched("proxy", again=True, detail=_detail(error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return NotFetched("dns", again=_errno(error) not in _UNKNOWN, detail=_detail(error))
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        is_certificate = isinstance(error, aiohttp.ClientConnectorCertificateError)
        return NotFetched("tls", again=not is_certificate, detail=_detail(error))
    if isinstance(error, aiohttp.ServerDisconnectedError | OSError):
        return NotFetched("connect", again=True, detail=_detail(error))
    return NotFetched("not_http", detail="answers no HTTP")


def of_broken_body(error: BaseException) -> NotFetched:
    """Sort what aiohttp raised while an image came."""
    return NotFetched("truncated", again=True, detail=_detail(error))


def _of_proxy(status: int) -> NotFetched:
    """A proxy that forbids a host does so the next time too."""
    return NotFetched("proxy", again=status != _FORBIDDEN, detail=f"refuses with {status}")


def _is_before(error: BaseException, proxy: Proxy) -> bool:
    """Whether it failed on the way to the proxy: beyond it only TLS with the host is left that aiohttp names."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return False
    return (error.host, error.port) == (proxy.host, proxy.port)


def _errno(error: BaseException) -> int | None:
    return getattr(getattr(error, "os_error", error), "errno", None)


def _detail(error: BaseException) -> str:
    cause: BaseException = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "no reason given").replace("_", " ").lower()
    if isinstance(cause, socket.gaierror):
        return "the name is not known" if cause.errno in _UNKNOWN else "the name cannot be resolved at the moment"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    return "the connection was broken off"
