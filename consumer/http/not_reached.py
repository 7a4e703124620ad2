"""
Why a host was not reached: at which step, in a word, and what is known of it. Values only.

    dns ──► connect ──► tls ──► the request is sent        proxy: any step of the way to the proxy, or its refusal

Nothing was sent, so nothing is billed. The details are our own words, OpenSSL's and the system's: no byte that came
from the network is in them.
"""

import ssl
from typing import Literal, NamedTuple

import aiohttp

from consumer.errors import ProviderFailed
from consumer.network import BROKEN_OFF, said_of
from consumer.proxies import Proxy

Step = Literal["dns", "connect", "tls", "proxy"]

_AUTHENTICATION = 407  # RFC 9110: Proxy Authentication Required


class NotReached(NamedTuple):
    """Which step failed, and how."""

    step: Step
    detail: str

    def failure(self) -> ProviderFailed:
        """The failure of the call."""
        return ProviderFailed(self.step, detail=self.detail)


def not_reached(error: BaseException, proxy: Proxy | None, *, tls: bool) -> NotReached:
    """
    Sort what a transport raised before anything of the request was sent.

    `error` is aiohttp's; `proxy` what the call went through; `tls` whether the host speaks TLS.
    """
    step, detail = _step(error, proxy, tls), _detail(error, proxy)
    return NotReached(step, detail)


def refused_by(status: int, proxy: Proxy) -> NotReached | None:
    """Sort the status of an answer to what a proxy passes on in clear text: None where it may be the host's own."""
    return NotReached("proxy", _refusal(status, proxy)) if status == _AUTHENTICATION else None


def _step(error: BaseException, proxy: Proxy | None, tls: bool) -> Step:
    if proxy is not None:
        # aiohttp names the host that it was connecting to; beyond the proxy only TLS with the host itself is left.
        at = (error.host, error.port) if isinstance(error, aiohttp.ClientConnectorError) else None
        beyond = at is not None and at != (proxy.host, proxy.port)
        return "tls" if beyond else "proxy"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls"
    if tls and isinstance(getattr(error, "os_error", error), BROKEN_OFF):
        return "tls"
    return "connect"


def _detail(error: BaseException, proxy: Proxy | None) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError) and proxy is not None:
        return _refusal(error.status, proxy)
    if isinstance(error, aiohttp.ClientResponseError):
        return "answers no HTTP"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed the connection"
    return said_of(error)


def _refusal(status: int, proxy: Proxy) -> str:
    if status != _AUTHENTICATION:
        return f"refuses with {status}"
    return f"{status}: refuses the user and password" if proxy.is_told_who_we_are else f"{status}: wants a user"
