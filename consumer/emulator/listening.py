"""The emulator's ports: one for each region, to be closed and opened again. What is served is server.py's."""

import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

_BACKLOG = 1024


class Listener:
    """Serves one application on several ports. Made by `listening`."""

    def __init__(self, runner: web.AppRunner, host: str) -> None:
        self._runner = runner
        self._host = host
        self._sites: dict[int, web.SockSite] = {}

    async def start(self, port: int) -> int:
        """
        Accept connections on `port`, or on a free one for 0, and return it.

        Raises: OSError, when the port is taken.
        """
        if port in self._sites:
            return port
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        both = self._host == "::" and socket.has_dualstack_ipv6()
        sock = socket.create_server((self._host, port), family=family, dualstack_ipv6=both)
        bound: int = sock.getsockname()[1]
        self._sites[bound] = web.SockSite(self._runner, sock, backlog=_BACKLOG)
        await self._sites[bound].start()  # the site owns the socket from here
        return bound

    async def stop(self, ports: Iterable[int]) -> None:
        """Refuse connections on `ports` and cut those that are open, as a provider does that went away."""
        stopped = [port for port in ports if port in self._sites]
        for port in stopped:
            await self._sites.pop(port).stop()
        for connection in self._runner.server.connections if self._runner.server else ():
            transport = connection.transport
            if transport is not None and transport.get_extra_info("sockname")[1] in stopped:
                transport.abort()


@asynccontextmanager
async def listening(app: web.Application, host: str, ports: Sequence[int]) -> AsyncIterator[tuple[Listener, list[int]]]:
    """
    Serve `app` on `ports` of `host`. Yields the ports as bound, in the same order.

    At the end the calls in progress have a second to finish. Raises: OSError, when a port is taken.
    """
    # Without handler cancellation a call whose client went away is still judged and billed, as it is at the provider.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=1.0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        listener = Listener(runner, host)
        yield listener, [await listener.start(port) for port in ports]
