"""
A provider on a raw socket, which sends what it is told to, byte by byte if need be.

It runs in the loop of who plays: what was asked and what was sent are lists to look at.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import unquote_plus

import orjson

LOOPBACK = "127.0.0.1"
_BACKLOG = 1024


class Asked(NamedTuple):
    """One call."""

    data_id: str
    image: str
    """The image's URL, or `oss://bucket/key`."""

    attempt: int
    """From 0 on, by image."""


Responder = Callable[[Asked, asyncio.StreamWriter], Awaitable[bool]]
"""Sends an answer; whether the connection may be used again."""


class RawProvider:
    """Reads calls and lets the responder answer them."""

    def __init__(self, respond: Responder) -> None:
        self._respond = respond
        self.attempts: Counter[str] = Counter()
        """Calls by data id."""

        self.unreadable = 0
        self.endpoint = ""

    @classmethod
    @asynccontextmanager
    async def serving(cls, respond: Responder) -> AsyncIterator["RawProvider"]:
        """Serve on a free port of the loopback interface until the context ends."""
        provider = cls(respond)
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(provider._serve(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(connected, LOOPBACK, 0, backlog=_BACKLOG, limit=2**20)
        provider.endpoint = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        try:
            yield provider
        finally:
            server.close()
            for task in list(connections):
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                asked = self._asked(body)
                if not await self._respond(asked, writer):
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, RuntimeError):
            return  # the caller went away; uvloop says so with a RuntimeError where asyncio has a ConnectionError
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, RuntimeError, asyncio.CancelledError):
                await writer.wait_closed()

    def _asked(self, body: bytes) -> Asked:
        try:
            fields = dict(pair.split("=", 1) for pair in body.decode().split("&"))
            parameters = orjson.loads(unquote_plus(fields["ServiceParameters"]))
            data_id = str(parameters["dataId"])
        except (ValueError, KeyError):
            self.unreadable += 1
            return Asked("", "", 0)
        image = parameters.get("imageUrl") or f"oss://{parameters['ossBucketName']}/{parameters['ossObjectName']}"
        attempt = self.attempts[data_id]
        self.attempts[data_id] += 1
        return Asked(data_id, image, attempt)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def response(body: bytes, status: int = 200, *headers: tuple[str, str]) -> bytes:
    """Return a whole answer with its length."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def good(data_id: str, level: str = "none") -> bytes:
    """Return the JSON of an answer without risk, or with."""
    label = "nonLabel" if level == "none" else "violent_explosion"
    finding = {"Label": label, "RiskLevel": level} | ({} if level == "none" else {"Confidence": 81.5})
    data = {"DataId": data_id, "RiskLevel": level, "Result": [finding]}
    return orjson.dumps({"RequestId": "00000000-0000-4000-8000-000000000001", "Code": 200, "Msg": "OK", "Data": data})
