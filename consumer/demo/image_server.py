"""A web server of images, as an upload pipeline's CDN would be."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from consumer.demo.serving import serving


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

    async with serving(answer) as url:
        yield url
