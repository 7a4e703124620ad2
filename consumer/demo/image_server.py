"""A web server of images, as an upload pipeline's CDN would be."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

_HOST = "127.0.0.1"


@asynccontextmanager
async def serving_images(files: Mapping[str, bytes]) -> AsyncIterator[str]:
    """
    Serve a file by its path, or by its name in whatever folder it is asked for; all else is 404. Yields the base URL.

    Raises: OSError, when no port is free.
    """

    async def answer(request: web.Request) -> web.Response:
        path = request.match_info["path"]
        content = files.get(path) or files.get(path.rpartition("/")[2])
        return web.Response(status=404) if content is None else web.Response(body=content)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        listener = socket.create_server((_HOST, 0))
        await web.SockSite(runner, listener).start()  # the site owns the socket from here
        yield f"http://{_HOST}:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()
