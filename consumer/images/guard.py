"""
The sockets of fetches: none is opened to an address that no image is fetched from.

    a URL ──► its host is judged ──► DNS ──► each address is judged when its socket is made ──► connect

That is the one moment at which the address is known that will be connected to. What was looked up before may have
changed since, and no way of writing an address gets around it. Through a proxy it is the proxy that looks up: its own
address is configured, and not judged.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from consumer.images.addresses import Allowed

MOST_ADDRESSES = 8
"""Of one name: who owns it can give it thousands, and each may be tried."""
_THREADS = 8
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class AddressRefused(OSError):
    """The address of a socket that was not opened."""


@dataclass(slots=True)
class Hop:
    """One request on its way to a host."""

    host: str
    allowed: Allowed
    is_proxied: bool
    refused: list[str] = field(default_factory=list)
    """Addresses that no socket was opened to, each with the reason."""
    opened: int = 0

    @property
    def was_refused(self) -> bool:
        """Whether there was no other address to try."""
        return bool(self.refused) and not self.opened

    def open(self, to: AddressInfo) -> socket.socket:
        """
        Raises:
            AddressRefused: no image is fetched from there.
        """
        family, kind, protocol, _, place = to
        address = str(place[0])
        word = None if self.is_proxied else self.allowed.refusal(address, self.host)
        if word:
            self.refused.append(f"{address}: {word}")
            raise AddressRefused(errno.EACCES, f"address refused: {word}")
        self.opened += 1
        return socket.socket(family, kind, protocol)


# aiohttp makes sockets in the task of the request, or in tasks that it starts for it, and so in its context.
_hop: ContextVar[Hop | None] = ContextVar("hop", default=None)


@contextmanager
def guarding(hop: Hop) -> Iterator[None]:
    """Let the sockets that are made in this context be those of a request."""
    token = _hop.set(hop)
    try:
        yield
    finally:
        _hop.reset(token)


def guarded_socket(to: AddressInfo) -> socket.socket:
    """
    Make a socket for an address, as aiohttp's connectors ask for it.

    Raises:
        AddressRefused: no image is fetched from there, or nobody said for what it is.
    """
    hop = _hop.get()
    if hop is None:
        raise AddressRefused(errno.EACCES, "address refused: of no request")
    return hop.open(to)


class OwnThreadsResolver(AbstractResolver):
    """
    Looks names up as the system does, in threads of its own.

    Strangers' names can take long to look up, which cannot be cancelled: in the threads of the event loop they would be
    in the way of the provider's name, and of Kafka's.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="images-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look_up = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [_resolved(host, port, each) for each in found[:MOST_ADDRESSES]]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolved(host: str, port: int, found: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, place = found
    zone = f"%{place[3]}" if len(place) > 3 and place[3] else ""  # of an address of a link, which is refused
    return {
        "hostname": host, "host": f"{place[0].partition('%')[0]}{zone}", "port": port, "family": family,
        "proto": protocol, "flags": _NUMERIC,
    }  # fmt: skip
