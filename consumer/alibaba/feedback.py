"""
What people decided about an image, told to the 1.0 service: sign, send, read.

Vendor: ImageScanFeedback, 20 calls a second. The image behind the URL is put into the feedback library of each scene,
which takes and refuses similar images from then on. That library can neither be switched off nor deleted; single images
can be taken out in the console. A URL that is sent twice is in it once or twice: the page does not say.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx
import orjson

from consumer.alibaba import roa_signing
from consumer.alibaba.codes import failure_of
from consumer.alibaba.image_moderation import retry_after
from consumer.clock import Clock
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ImageRefused,
    InputRefused,
    ProviderFailed,
    Throttled,
    Unreachable,
)
from consumer.http.exchange import Exchanges
from consumer.keys import Keys

PATH: Final = "/green/image/feedback"
CODES: Final[Mapping[int, type[CallFailed]]] = {
    400: InputRefused,
    401: AccountRefused,
    403: Unreachable,
    404: Unreachable,
    480: Unreachable,
    588: Throttled,
    589: ImageRefused,
    590: ImageRefused,
    592: Unreachable,
    594: Unreachable,
    595: ImageRefused,
    596: AccountRefused,
}
"""Vendor: the 1.0 service's codes. Any other is the provider's failure."""


class FeedbackClient:
    """Tells one region once. Every failure is a `CallFailed`."""

    def __init__(self, exchanges: Exchanges, base_url: str, region: str, keys: Keys, clock: Clock) -> None:
        self._exchanges = exchanges
        self._base_url = base_url
        self._query = {"RegionId": region}
        self._keys = keys
        self._clock = clock

    async def tell(self, suggestion: str, scenes: Sequence[str], url: str) -> str | None:
        """Say of the image behind a URL that it is to pass, or to be blocked; returns the id of the request."""
        answered = await self._exchanges.exchange(self._request(suggestion, scenes, url))
        return read_answer(answered.status, answered.content, retry_after(answered.headers))

    def _request(self, suggestion: str, scenes: Sequence[str], url: str) -> httpx.Request:
        body = orjson.dumps({"suggestion": suggestion, "scenes": list(scenes), "url": url})
        headers = roa_signing.signed_headers(
            path=PATH,
            query=self._query,
            body=body,
            now=self._clock.wall(),
            nonce=secrets.token_hex(16),
            credentials=self._keys.current(),
        )
        query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in self._query.items())
        headers["accept-encoding"] = "identity"
        return httpx.Request("POST", f"{self._base_url}{PATH}?{query}", headers=headers, content=body)


def read_answer(status: int, body: bytes, asked_to_wait: float = 0.0) -> str | None:
    """
    Accept an answer, and return the id of the request; `asked_to_wait` are seconds.

    Raises:
        CallFailed: it is none, or a refusal.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise failure_of(status, None, asked_to_wait) if not 200 <= status < 300 else ProviderFailed("not_json")
    answer = {str(name).lower(): value for name, value in found.items()}
    code, request_id = answer.get("code"), answer.get("requestid")
    if 200 <= status < 300 and code == 200 and code is not True:
        return request_id if isinstance(request_id, str) else None
    raise _failure(status, code, asked_to_wait)


def _failure(status: int, code: Any, asked_to_wait: float) -> CallFailed:
    if isinstance(code, bool) or not isinstance(code, int | str):
        return failure_of(status, None, asked_to_wait)
    return failure_of(status, code, asked_to_wait, CODES)
