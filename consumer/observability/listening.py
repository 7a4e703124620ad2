"""A port of ours: listening where the settings say, and answering what is asked there."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from consumer.errors import Misconfigured
from consumer.observability.connections import Bounds, Connections
from consumer.observability.refused_requests import Refusals

log = structlog.get_logger()

_BACKLOG = 128  # connections that the system holds until they are accepted
_CLOSING = 1.0  # seconds for answers that are being read when the service ends

Page = Callable[[str, str], web.Response]
"""Makes the answer to a method and a path."""

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]
"""Makes the answer to a request, whose body it may read where the bounds allow it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and the settings that say so."""

    host_key: str
    host: str
    port_key: str
    port: int


@contextlib.asynccontextmanager
async def answering(address: Address, page: Page, bounds: Bounds) -> AsyncIterator[str]:
    """
    Answer at an address until the context ends. Yields the address as it can be called.

    `Misconfigured` escapes where the port is taken or the host not ours.
    """

    async def handler(request: web.BaseRequest) -> web.Response:
        return page(request.method, request.path)

    async with handling(address, handler, bounds) as shown:
        yield shown


@contextlib.asynccontextmanager
async def handling(address: Address, handler: Handler, bounds: Bounds) -> AsyncIterator[str]:
    """As `answering`, for requests with bodies."""
    failures = Refusals()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 — aiohttp would log it whole
            failures.note("failed", error)
            response = web.Response(status=500, text="an unexpected error; the log has its place\n")
        response.force_close()
        return response

    server = web.Server(answer, access_log=None, lingering_time=0)
    connections = Connections(server, Refusals(), bounds)
    listener = await _listen(connections, address)
    try:
        host, port = listener.sockets[0].getsockname()[:2]
        yield _shown(host, port)
    finally:
        listener.close()
        connections.cut_those_that_have_not_asked()
        await server.shutdown(_CLOSING)


async def _listen(connections: Connections, address: Address) -> asyncio.Server:
    """Accept connections: on `::` those of IPv4 too, where the system can, which asyncio leaves out."""
    host, loop = address.host.strip("[]"), asyncio.get_running_loop()
    try:
        if host == "::":
            both = socket.has_dualstack_ipv6()
            listener = socket.create_server((host, address.port), family=socket.AF_INET6, dualstack_ipv6=both)
            return await loop.create_server(connections, sock=listener, backlog=_BACKLOG)
        return await loop.create_server(connections, host, address.port, backlog=_BACKLOG)
    except UnicodeError as error:  # no domain name, such as one with a label of 80 letters
        raise Misconfigured([f"{address.host_key}: {host} is no address of this machine"]) from error
    except OSError as error:
        raise Misconfigured([_refused(address, host, error)]) from error


def _refused(address: Address, host: str, error: OSError) -> str:
    shown = _shown(host, address.port)
    if error.errno == errno.EADDRINUSE:
        return f"{address.port_key}: {shown} is taken: name another port, or 0 for a free one"
    if error.errno == errno.EACCES:
        return f"{address.port_key}: {shown} is not ours to listen on: name a port from 1024 on"
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"{address.host_key}: {host} is no address of this machine"
    return f"{address.host_key}, {address.port_key}: {shown} cannot be listened on: {error.strerror or error}"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
