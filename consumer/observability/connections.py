"""
Connections to the ports of our pages, bounded in number, bytes and seconds. A connection is one request:

    accepted ──► its head is read ──► aiohttp answers ──► closed
                  │ 5 s, 8 KiB          │ 10 s
                  ▼                     ▼
                 cut                   cut

aiohttp knows a connection only once the head of its request is whole: before that it costs next to nothing. Where there
are too many, one that has not asked yet gives way to the new one, so that a probe, which asks at once, is answered
whatever others hold open.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from consumer.observability.refused_requests import Refusals, Why

_END = b"\r\n\r\n"
_METHODS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # what one begins with


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of the connections of one port."""

    connections: int = 64
    head_seconds: float = 5.0
    """From connecting to the last byte of the request's head."""
    answer_seconds: float = 10.0
    """From there until the answer is read."""
    head_bytes: int = 8_192
    request_bytes: int = 16_384
    """With a body, which is thrown away, but where `reads_bodies`."""
    reads_bodies: bool = False


class Connections:
    """Those of one port; called for each new one, as asyncio does."""

    def __init__(self, server: web.Server, refusals: Refusals, bounds: Bounds) -> None:
        self.server = server
        self.bounds = bounds
        self._refusals = refusals
        self._open: dict[Connection, None] = {}  # the oldest first

    def __call__(self) -> asyncio.Protocol:
        return Connection(self)

    def opened(self, connection: "Connection") -> None:
        """Hold one more, in the place of another where there are too many."""
        if len(self._open) >= self.bounds.connections:
            waiting = (each for each in self._open if not each.has_asked)
            next(waiting, next(iter(self._open))).cut("too_many")
        self._open[connection] = None

    def refused(self, why: Why, error: Exception | None = None) -> None:
        """Count a request without an answer."""
        self._refusals.note(why, error)

    def closed(self, connection: "Connection") -> None:
        """Forget one."""
        self._open.pop(connection, None)

    def cut_those_that_have_not_asked(self) -> None:
        """Let go of them, uncounted, before the port is closed."""
        for each in [each for each in self._open if not each.has_asked]:
            each.cut(None)


class Connection(asyncio.Protocol):
    """One of them: reads the head of a request, then passes it on."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._bounds = connections.bounds
        self._handler: web.RequestHandler | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._head = bytearray()
        self._received = 0  # bytes

    @property
    def has_asked(self) -> bool:
        """Whether the head of its request is whole."""
        return self._handler is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request's head, for so long."""
        self._transport = cast(asyncio.Transport, transport)
        self._ends_in(self._bounds.head_seconds)
        self._connections.opened(self)

    def data_received(self, data: bytes) -> None:
        """Gather the head; what follows it is thrown away, or passed on where bodies are read."""
        self._received += len(data)
        if self._handler is not None:
            if self._received > self._bounds.request_bytes:
                self.cut("too_long")
            elif self._bounds.reads_bodies:
                self._pass_on(data)
            return
        looked_at = max(0, len(self._head) - len(_END))
        before = len(self._head)
        self._head += data[: self._bounds.head_bytes + 1]
        end = self._head.find(_END, looked_at) + len(_END)
        if self._head[0] not in _METHODS:
            self.cut("not_http")
        elif self._bounds.reads_bodies and self._received > self._bounds.request_bytes:
            self.cut("too_long")
        elif len(_END) <= end <= self._bounds.head_bytes:
            body = data[end - before :] if self._bounds.reads_bodies else b""
            self._ask(bytes(self._head[:end]) + body)
        elif len(self._head) > self._bounds.head_bytes:
            self.cut("too_long")

    def eof_received(self) -> bool:
        """Keep the connection for an answer only."""
        if self._handler is None and self._head:
            self._connections.refused("not_http")
        return self._handler is not None

    def pause_writing(self) -> None:
        """Whoever asked reads slowly."""
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Whoever asked reads again."""
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, by whomever."""
        self._connections.closed(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._handler is not None:
            self._handler.connection_lost(exc)

    def cut(self, why: Why | None, error: Exception | None = None) -> None:
        """End it without an answer, and count that."""
        transport, self._transport = self._transport, None
        if transport is None:  # cut already
            return
        if why is not None:
            self._connections.refused(why, error)
        self._connections.closed(self)
        transport.abort()

    def _pass_on(self, data: bytes) -> None:
        assert self._handler is not None
        try:
            self._handler.data_received(data)
        except Exception as error:  # noqa: BLE001 — asyncio would log it, with what was sent
            self.cut("failed", error)

    def _ask(self, request: bytes) -> None:
        transport, handler = self._transport, self._connections.server()
        assert transport is not None
        self._handler = handler
        self._ends_in(self._bounds.answer_seconds)
        handler.connection_made(transport)
        self._pass_on(request)

    def _ends_in(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.cut, "too_slow")
