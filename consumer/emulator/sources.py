"""
Where the provider gets an image from: a URL that it really downloads, a bucket that the emulator was given, or what
was uploaded to it.

Whoever may call the emulator has it call what this machine reaches, so of what was found there only the code is told,
and no host is called but the one that was named.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from consumer.emulator.buckets import Bucket, read_object
from consumer.emulator.errors import ServiceError
from consumer.emulator.images import MAX_BYTES
from consumer.emulator.parameters import ImageUrl, OssObject
from consumer.emulator.tokens import bucket_of
from consumer.proxies import DIRECT, Proxies

Uploaded = Callable[[str, str], bytes | None]
"""What was uploaded to a bucket under a key, or None."""

NOT_FETCHED: Final = "the image could not be fetched"
"""What is said of every failure: it must not tell a closed port from a page, or a missing object from a bucket."""
MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class ImageSource:
    """
    Fetches images.

    Vendor: response codes 404, 405, 406 and 408 of the synchronous 2.0 API. Which of them answers about a bucket that
    the account has not authorised is not documented: 408 is that of missing permissions.
    """

    session: aiohttp.ClientSession
    buckets: Mapping[str, Bucket]
    proxies: Proxies
    uploaded: Uploaded
    unauthorised: Collection[str] = ()
    """Globs on the names of buckets that are not for the provider."""

    async def fetch(self, image: ImageUrl | OssObject, asked: str = "") -> bytes:
        """
        The image's bytes, for a call that reached the region `asked`; what was uploaded is found in its own alone.

        Raises: ServiceError 404 (not there), 405 (took too long), 406 (too large), 408 (no permission).
        """
        data = await (self._download(image) if isinstance(image, ImageUrl) else self._read(image, asked))
        if len(data) > MAX_BYTES:
            raise _not_fetched(406)
        return data

    async def _download(self, image: ImageUrl) -> bytes:
        try:
            url: URL | None = URL(image.url)
            for _ in range(MOST_REDIRECTS + 1):
                if url is None:
                    break
                async with self._get(url, image.referer) as response:
                    if response.status == 200:
                        return await _read_at_most(response.content, MAX_BYTES + 1)
                    url = _led_to(url, response)
        except TimeoutError as error:
            raise _not_fetched(405) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # yarl and idna raise ValueError for odd hosts
            raise _not_fetched(404) from error
        raise _not_fetched(404)

    def _get(self, url: URL, referer: str | None) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {"Referer": referer} if referer else {}
        proxy = self.proxies.proxy_for(str(url))
        told = proxy.headers if proxy else {}
        if url.scheme == "http":
            headers |= told  # there is no CONNECT to tell it with
        return self.session.get(
            url,
            headers=headers,
            allow_redirects=False,
            proxy=proxy.url if proxy else None,
            proxy_headers=told or None,
        )

    async def _read(self, image: OssObject, asked: str) -> bytes:
        if (image.bucket, image.region) == (bucket_of(asked), asked):
            data = self.uploaded(image.bucket, image.object)
            if data is not None:
                return data
        elif any(fnmatchcase(image.bucket, glob) for glob in self.unauthorised):
            raise ServiceError(408, f"no permission to read the bucket {image.bucket}")
        bucket = self.buckets.get(image.bucket, {})
        read = partial(read_object, bucket, image.object, MAX_BYTES + 1)
        data = await asyncio.to_thread(read) if isinstance(bucket, Path) else read()  # a thread for files alone
        if data is None:
            raise _not_fetched(404)
        return data


@asynccontextmanager
async def open_source(
    buckets: Mapping[str, Bucket],
    *,
    timeout: float,
    proxies: Proxies = DIRECT,
    uploaded: Uploaded = lambda bucket, key: None,
    unauthorised: Collection[str] = (),
) -> AsyncIterator[ImageSource]:
    """An image source whose downloads end after `timeout` seconds."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # the quota limits the downloads
        timeout=aiohttp.ClientTimeout(total=timeout),
        trust_env=False,  # it would also read ~/.netrc
    ) as session:
        yield ImageSource(session, buckets, proxies, uploaded, unauthorised)


async def _read_at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    data = bytearray()
    while len(data) < limit and (chunk := await content.read(limit - len(data))):
        data += chunk
    return bytes(data)


def _led_to(url: URL, response: aiohttp.ClientResponse) -> URL | None:
    """Where an answer redirects to, if that is the same host: its other ports are others, but for HTTPS itself."""
    there = response.headers.get("Location")
    if response.status not in _REDIRECTS or there is None:
        return None
    led = url.join(URL(there))
    to_https = (url.scheme, url.port, led.scheme, led.port) == ("http", 80, "https", 443)
    return led if led.host == url.host and ((led.scheme, led.port) == (url.scheme, url.port) or to_https) else None


def _not_fetched(code: int) -> ServiceError:
    return ServiceError(code, NOT_FETCHED)
