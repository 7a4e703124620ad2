"""A web server of images, as a user's CDN would be."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer


class ImageHost:
    """Serves `files` by path. `/never/…` sends a head and then nothing; other paths are 404."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.url = ""
        self.referers: list[str | None] = []
        self._closing = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any GET."""
        self.referers.append(request.headers.get("Referer"))
        if request.path.startswith("/never/"):
            response = web.StreamResponse()
            await response.prepare(request)
            await self._closing.wait()
            return response
        if request.path not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[request.path])

    async def close(self, _app: web.Application) -> None:
        """Let go of those who wait."""
        self._closing.set()


@asynccontextmanager
async def serving(files: Mapping[str, bytes]) -> AsyncIterator[ImageHost]:
    """An image host on a free port."""
    host = ImageHost(files)
    app = web.Application()
    app.router.add_get("/{path:.*}", host.answer)
    app.on_shutdown.append(host.close)
    async with TestServer(app) as server:
        host.url = str(server.make_url("/")).rstrip("/")
        yield host
