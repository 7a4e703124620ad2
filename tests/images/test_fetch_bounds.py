"""
What a host can do at worst: how much memory and time a fetch takes of a body that is larger, longer or other than its
head says. And that what a head says of the kind of a body is not believed.
"""

import time
import tracemalloc

import pytest

from consumer.clock import SystemClock
from consumer.config import Config
from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.errors import ImageRefused
from consumer.image_sources import open_sources
from consumer.images.held import BytesHeld
from consumer.images.preparing import Picture
from consumer.moderation.fetching import Fetching
from tests.images.test_fetch import MEGABYTE, SOON, Host, answer, code, fetch, serving
from tests.moderation.requests import context
from tests.rig.pictures import picture

PIECE = bytes(65_536)
CHUNK = b"10000\r\n" + PIECE + b"\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGEST = 20 * MEGABYTE
"""Bytes that an image may have by default."""
WHOLE = LARGEST * 5 // 4 + 2 * MEGABYTE
"""That one takes which is read until it is too large: what it grows into has room for an eighth more, or a quarter."""
LITTLE = 4 * MEGABYTE
"""That is taken where a body is not read, or not beyond what its head says: connections have buffers."""


def head(*lines: str) -> bytes:
    """The head of an answer with these headers."""
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, "")).encode()


HOSTS = {
    "no length": (Host(head(), endless=PIECE), "too_large", WHOLE),
    "chunks": (Host(CHUNKED, endless=CHUNK), "too_large", WHOLE),
    "chunks of a byte": (Host(CHUNKED, endless=b"1\r\nx\r\n" * 1_000), "timeout*", LITTLE),
    "1 GB is announced, and comes": (Host(answer(length=1_000_000_000), endless=PIECE), "too_large", LITTLE),
    "1 GB is announced, packed": (
        Host(answer(length=1_000_000_000, Content_Encoding="gzip"), endless=PIECE), "too_large", LITTLE
    ),
    "1 kB is announced": (Host(answer(length=1_000), endless=PIECE), "not_http", LITTLE),
    "1 kB is announced, packed": (
        Host(answer(length=1_000, Content_Encoding="gzip"), endless=PIECE), "not_http", LITTLE
    ),
    "more than there can be is announced": (Host(answer(length=10**30), endless=PIECE), "not_http", LITTLE),
    "less than nothing is announced": (Host(answer(length=-5), endless=PIECE), "not_http", LITTLE),
    "two lengths": (Host(head("Content-Length: 5", "Content-Length: 7"), endless=PIECE), "not_http", LITTLE),
    "a length and chunks": (
        Host(head("Content-Length: 5", "Transfer-Encoding: chunked"), endless=CHUNK), "not_http", LITTLE
    ),
    "a chunk without end": (Host(CHUNKED + b"f" * 17 + b"\r\n", endless=PIECE), "not_http", LITTLE),
    "a chunk's extension": (Host(CHUNKED + b"1;", endless=b"a" * 65_536), "timeout*", LITTLE),
    "trailers": (Host(CHUNKED + b"1\r\nx\r\n0\r\n", endless=b"a: b\r\n" * 1_000), "not_http", LITTLE),
    "headers": (Host(b"HTTP/1.1 200 OK\r\n", endless=b"a: " + b"b" * 1_000 + b"\r\n"), "not_http", LITTLE),
    "a status": (Host(b"HTTP/1.1 200 ", endless=PIECE), "not_http", LITTLE),
    "a body behind a refusal": (Host(answer(status="404 No", length=10**9), endless=PIECE), "not_found", LITTLE),
    "bodies behind redirects": (
        Host(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n", endless=PIECE), "redirect_limit", LITTLE
    ),
    "a drip": (Host(answer(length=LARGEST), endless=b"x", pause=0.01), "timeout*", WHOLE),
    "a drip without a length": (Host(head(), endless=b"x", pause=0.01), "timeout*", LITTLE),
    "a drip of headers": (Host(b"HTTP/1.1 200 OK\r\n", endless=b"a: b\r\n", pause=0.01), "timeout*", LITTLE),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTS)
async def test_what_a_fetch_takes_has_bounds(name: str) -> None:
    """
    In memory: once the largest image, where it must be read to be seen; else next to nothing. In time: its own bound.
    """
    host, expected, most = HOSTS[name]
    async with serving(host):
        tracemalloc.start()
        began = time.monotonic()
        refused = await code(host.url, total_timeout=1.0)
        took, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert refused == expected
    assert peak < most
    assert took < SOON


async def test_of_what_is_longer_than_announced_the_rest_is_not_read() -> None:
    """
    It comes later than the image: that is whole by then, and is taken.
    """
    image = picture()
    host = Host(answer(image), endless=PIECE, pause=0.05)
    async with serving(host):
        tracemalloc.start()
        fetched = await fetch(host.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert fetched.data == image
    assert peak < LITTLE


PAGE = b"<!doctype html><html><body>Sign in to see the image</body></html>"
PNG, JPEG = picture("red", "PNG"), picture("red", "JPEG")


@pytest.mark.parametrize(
    ("body", "said", "name", "found"),
    [
        (PAGE, "image/png", "a.png", None),
        (PAGE, "image/svg+xml", "a.svg", None),
        (b"MZ" + bytes(200), "image/jpeg", "a.jpg", None),
        (PNG, "text/html; charset=utf-8", "a.html", "png"),
        (PNG, "image/jpeg", "a.jpg", "png"),
        (JPEG, "application/octet-stream", "download", "jpeg"),
        (JPEG, "", "a.exe", "jpeg"),
        (JPEG, "nonsense", "a", "jpeg"),
    ],
)
async def test_what_a_body_is_says_the_body_alone(body: bytes, said: str, name: str, found: str | None) -> None:
    """
    A page that is called a PNG is refused as no image; a PNG that is called a page is taken, as the PNG that it is.
    """
    config = Config.model_validate({"images": {"allow": {"networks": ["127.0.0.1"]}}})
    held = BytesHeld(LARGEST)
    async with serving(Host(answer(body, Content_Type=said))) as host, open_sources(config, {}, SystemClock()) as hosts:
        fetching = Fetching(hosts, ConcurrencyLimit(1), held)
        url = f"http://127.0.0.1:{host.port}/{name}"
        if found is None:
            with pytest.raises(ImageRefused, match="format"):
                async with fetching.fetched(url, context()):
                    raise AssertionError
        else:
            async with fetching.fetched(url, context()) as image:
                assert image.pictures == (Picture(body, found),)

    assert held.taken == 0
    assert host.heads[0].startswith(f"GET /{name} ")
