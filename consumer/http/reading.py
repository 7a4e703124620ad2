"""Read an answer's body within its bound, however it is packed and however long it goes on."""

import httpx

from consumer.errors import ProviderFailed
from consumer.http.content import MOST_BYTES, Unreadable, unpacked
from consumer.observability import metrics


async def read_body(response: httpx.Response, most: int = MOST_BYTES) -> bytes:
    """
    Return the body, unpacked, of `most` bytes at the most. What the transport raises escapes.

    Its stream is closed: one that was not read to its end takes its connection along.

    Raises:
        ProviderFailed: with code `too_large` or `content_encoding`. A 2xx may have been billed.
    """
    # Its stream, and not the response: httpx has a context around each step, and those cost as much as the policy.
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    try:
        return unpacked(await _raw(stream, most), response.headers.get("content-encoding", ""), most)
    except Unreadable as error:
        metrics.ANSWERS_UNREADABLE.labels(error.why).inc()
        raise ProviderFailed(error.why, billed="maybe" if response.is_success else "no") from None
    finally:
        await stream.aclose()


async def _raw(stream: httpx.AsyncByteStream, most: int) -> bytes:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > most:
            raise Unreadable("too_large")
    return bytes(body)
