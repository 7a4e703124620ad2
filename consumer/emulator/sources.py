"""Where the provider gets an image from: a URL that it really downloads, or a bucket that the emulator was given."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from consumer.emulator.errors import ServiceError
from consumer.emulator.images import MAX_BYTES
from consumer.emulator.parameters import ImageUrl, OssObject
from consumer.proxies import DIRECT, Proxies


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Fetches images. Vendor: response codes 404, 405 and 406 of the synchronous 2.0 API."""

    session: aiohttp.ClientSession
    buckets: Mapping[str, Path | Mapping[str, bytes]]
    proxies: Proxies = DIRECT

    async def fetch(self, image: ImageUrl | OssObject) -> bytes:
        """
        The image's bytes.

        Raises: ServiceError 404 (not there), 405 (took too long), 406 (too large).
        """
        data = await (self._download(image) if isinstance(image, ImageUrl) else self._read(image))
        if len(data) > MAX_BYTES:
            raise ServiceError(406, "the image is larger than 20 MB")
        return data

    async def _download(self, image: ImageUrl) -> bytes:
        headers = {"Referer": image.referer} if image.referer else {}
        try:
            proxy = self.proxies.proxy_for(image.url)
            told = proxy.headers if proxy else {}
            if image.url.lower().startswith("http:"):
                headers |= told  # there is no CONNECT to tell it with
            async with self.session.get(
                image.url, headers=headers, proxy=proxy.url if proxy else None, proxy_headers=told or None
            ) as response:
                if response.status != 200:
                    raise ServiceError(404, f"the image's host answered {response.status}")
                return await _read_at_most(response.content, MAX_BYTES + 1)
        except TimeoutError as error:
            raise ServiceError(405, "the image download timed out") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # yarl and idna raise ValueError for odd hosts
            raise ServiceError(404, "the image could not be downloaded") from error

    async def _read(self, image: OssObject) -> bytes:
        bucket = self.buckets.get(image.bucket)
        if isinstance(bucket, Path):
            return await asyncio.to_thread(_read_inside, bucket, image.object)
        if bucket is None or image.object not in bucket:
            raise _no_object(image.object)
        return bucket[image.object]


@asynccontextmanager
async def open_source(
    buckets: Mapping[str, Path | Mapping[str, bytes]], *, timeout: float, proxies: Proxies = DIRECT
) -> AsyncIterator[ImageSource]:
    """An image source whose downloads end after `timeout` seconds."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # the quota limits the downloads
        timeout=aiohttp.ClientTimeout(total=timeout),
        trust_env=False,  # it would also read ~/.netrc
    ) as session:
        yield ImageSource(session, buckets, proxies)


async def _read_at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    data = bytearray()
    while len(data) < limit and (chunk := await content.read(limit - len(data))):
        data += chunk
    return bytes(data)


def _read_inside(folder: Path, name: str) -> bytes:
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise _no_object(name)
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _no_object(name) from error


def _no_object(name: str) -> ServiceError:
    return ServiceError(404, f"the bucket has no object {name}")
