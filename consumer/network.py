"""
What is said of a connection that failed, in our own words, OpenSSL's and the system's. Values only.

No byte that came from the network is in them.
"""

import os
import socket
import ssl

import aiohttp

from consumer.proxies import Proxy

# What ends a connection that stood: on the way to a host, in the midst of TLS.
BROKEN_OFF = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_ENDED = (*BROKEN_OFF, aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}  # the second is not everywhere


def is_before(error: BaseException, proxy: Proxy) -> bool:
    """Whether it failed on the way to the proxy: beyond it only TLS with the host is left that aiohttp names."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return False
    return (error.host, error.port) == (proxy.host, proxy.port)


def says_unknown(error: BaseException) -> bool:
    """Whether a name was looked up and there is none."""
    return getattr(getattr(error, "os_error", error), "errno", None) in _UNKNOWN


def said_of(error: BaseException) -> str:
    """Say what ended a connection, or kept it from being made."""
    cause: BaseException = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or "no reason given").replace("_", " ").lower()
    if isinstance(cause, socket.gaierror):
        return "the name is not known" if cause.errno in _UNKNOWN else "the name cannot be resolved at the moment"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno).lower()
    return "the connection was broken off" if isinstance(cause, _ENDED) else type(cause).__name__
