"""A request that failed is freed with what it carries, whatever the HTTP client makes of it."""

import contextlib

import httpx
import pytest

from consumer.clock import SystemClock
from consumer.errors import ProviderFailed
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from tests.rig.freed import references


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://nowhere.invalid/"])
async def test_what_could_not_be_sent_is_freed_at_once(url: str) -> None:
    """
    aiohttp holds the error of a connection in a frame that it came through, and so the request: with each failure an
    image of up to 20 MB would wait for the garbage collector.
    """
    image = bytes(bytearray(b"image"))  # one that nobody else refers to
    async with open_transport(4) as transport:
        exchanges = Exchanges(transport, Timeouts(connect=1.0, read=1.0), SystemClock())

        async def fails() -> None:
            with contextlib.suppress(ProviderFailed):
                await exchanges.exchange(httpx.Request("PUT", url, content=image))

        counts = await references(image, fails)

    assert counts[-1] <= counts[0]
