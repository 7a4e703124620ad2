"""A web server on a free port of this machine, for one of the demo's stand-ins."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

_HOST = "127.0.0.1"


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """
    Answer requests, whatever their method and path, until the context ends. Yields the base URL.

    Raises: OSError, when no port is free.
    """
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        listener = socket.create_server((_HOST, 0))
        await web.SockSite(runner, listener).start()  # the site owns the socket from here
        yield f"http://{_HOST}:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()
