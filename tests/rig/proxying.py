"""A real proxy (CONNECT and clear text) and real TLS in front of any server, on loopback."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import trustme

Manner = Literal["serves", "forbids", "closes", "garbles", "hangs"]
BODY = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
UNUSED_DAYS = timedelta(days=30)


class ProxyServer:
    """Passes on what it is asked to, and keeps what that was. It behaves as `manner` says, from the next call on."""

    def __init__(self, user: str | None, manner: Manner) -> None:
        self.host, self.port = "127.0.0.1", 0
        self.manner = manner
        self.asked: list[str] = []
        """Each first line, such as `CONNECT localhost:443 HTTP/1.1`."""
        self.heads: list[bytes] = []
        self._user = user
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def drop(self) -> None:
        """Break off what passes at the moment."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.asked.append(head.partition(b"\r\n")[0].decode())
        if self.manner == "hangs":
            await reader.read()
        elif self.manner == "forbids":
            writer.write(b"HTTP/1.1 403 Forbidden\r\n" + BODY)
        elif self.manner == "garbles":
            writer.write(b"\x00\xff canary-garbage\r\n\r\n")
        elif self._user is not None and self._told(head) != self._user:
            writer.write(
                b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n' + BODY
            )
        elif self.manner == "serves":
            await self._pass_on(head, reader, writer)
        await writer.drain()

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = self.asked[-1].split()
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        there, here = await asyncio.open_connection(url.hostname, url.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            here.write(head.replace(target.encode(), url.path.encode() or b"/", 1))
        await asyncio.gather(_pump(reader, here), _pump(there, writer))

    def _told(self, head: bytes) -> str | None:
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"proxy-authorization":
                return base64.b64decode(value.split()[1]).decode()
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy(
    *, user: str | None = None, manner: Manner = "serves", tls: ssl.SSLContext | None = None
) -> AsyncIterator[ProxyServer]:
    """Run a proxy that wants `user:password` where one is given; with `tls` it is spoken to over TLS."""
    server = ProxyServer(user, manner)
    listening = await asyncio.start_server(server.serve, server.host, 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@asynccontextmanager
async def tls_in_front_of(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Take TLS on a free port, which is returned, for a server on loopback that speaks clear text."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, here = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pump(reader, here), _pump(there, writer))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


class PrivateAuthority:
    """An authority that nobody trusts who was not told to."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def write(self, path: Path) -> Path:
        """Write its certificate, in PEM."""
        self._ca.cert_pem.write_to_path(str(path))
        return path

    def context(self, *hosts: str, expired: bool = False) -> ssl.SSLContext:
        """A server's certificate for some hosts."""
        now = datetime.now(UTC)
        until = now - timedelta(days=1) if expired else now + UNUSED_DAYS
        issued = self._ca.issue_cert(*(hosts or ("localhost",)), not_before=now - UNUSED_DAYS, not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        return context
