"""
A network between one replica and Kafka that can be cut: connections stay open, and nothing passes any more.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

HOST = "127.0.0.1"
_CHUNK = 65_536


class Proxy:
    """Passes bytes on to `target` until it is cut."""

    def __init__(self) -> None:
        self.port = 0
        self.target = ""
        """`host:port`; set before the first connection."""
        self._passes = asyncio.Event()
        self._passes.set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Self]:
        """Listen on a free port of loopback until the context ends."""
        proxy = cls()
        proxy._server = server = await asyncio.start_server(proxy._connected, HOST, 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for pipe in proxy._pipes:
                pipe.cancel()
            await asyncio.gather(*proxy._pipes, return_exceptions=True)

    def cut(self) -> None:
        """Let nothing pass from now on, in neither direction."""
        self._passes.clear()

    def mend(self) -> None:
        """Let pass what waits, and what comes."""
        self._passes.set()

    def close(self) -> None:
        """Refuse connections from now on, as an address does where nothing is any more."""
        assert self._server is not None, "it does not listen"
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passes.wait()
        host, port = self.target.split(":")
        try:
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
        except ConnectionError:
            writer.close()
            return
        for pipe in (self._pass_on(reader, there_writer), self._pass_on(there_reader, writer)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                await self._passes.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()
