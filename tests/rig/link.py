"""
A network between one replica and Kafka that takes its time and can be cut: each byte arrives, in either direction, half
a round trip later, or once the network is mended.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

HOST = "127.0.0.1"
_CHUNK = 65_536
_ON_ITS_WAY = 1_024  # chunks in one direction of one connection


class Link:
    """Passes bytes on to `target`, at any rate. While it is cut, connections stay open and nothing passes."""

    def __init__(self) -> None:
        self.port = 0
        self.target = ""
        """`host:port`; set before the first connection."""
        self.round_trip = 0.0  # seconds
        self._passes = asyncio.Event()
        self._passes.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Self]:
        """Listen on a free port of loopback until the context ends."""
        link = cls()
        link._server = server = await asyncio.start_server(link._connected, HOST, 0)
        link.port = server.sockets[0].getsockname()[1]
        try:
            yield link
        finally:
            server.close()
            for connection in link._connections:
                connection.cancel()
            await asyncio.gather(*link._connections, return_exceptions=True)

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

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.closing(writer):
                await self._passes.wait()
                host, port = self.target.split(":")
                there_reader, there_writer = await asyncio.open_connection(host, int(port))
                with contextlib.closing(there_writer):
                    async with asyncio.TaskGroup() as directions:
                        for source, sink in ((reader, there_writer), (there_reader, writer)):
                            chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_ITS_WAY)
                            directions.create_task(self._take(source, chunks))
                            directions.create_task(self._deliver(chunks, sink))
        except* ConnectionError:
            pass

    async def _take(self, source: asyncio.StreamReader, chunks: "asyncio.Queue[tuple[float, bytes]]") -> None:
        loop = asyncio.get_running_loop()
        while True:
            chunk = await source.read(_CHUNK)
            await self._passes.wait()  # a network that is cut takes no more than its buffers hold
            await chunks.put((loop.time() + self.round_trip / 2, chunk))
            if not chunk:
                return

    async def _deliver(self, chunks: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await chunks.get()
            await asyncio.sleep(due - loop.time())
            await self._passes.wait()
            if not chunk:
                sink.close()
                return
            sink.write(chunk)
            await sink.drain()
