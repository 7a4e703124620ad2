"""
One call of Image Moderation 2.0 to one region: sign, send, read the answer.
"""

import secrets
from urllib.parse import urlsplit

import httpx

from consumer.alibaba import image_moderation, signing
from consumer.alibaba.echoes import LearnedEchoes
from consumer.clock import Clock
from consumer.config.credentials import Credentials
from consumer.http.exchange import Exchanges
from consumer.keys import Keys
from consumer.moderation import CallContext, ModerationRequest
from consumer.records import ModerationResult


class ImageModerationClient:
    """
    Asks one region once. Every failure is a `CallFailed`; `GrantRevoked` passes through.

    With `echoes`, which are this region's alone, answers must name the image once their service always did.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        base_url: str,
        region: str,
        keys: Keys,
        clock: Clock,
        echoes: LearnedEchoes | None = None,
    ) -> None:
        self._exchanges = exchanges
        self._url = httpx.URL(f"{base_url}/")
        self._host = urlsplit(base_url).netloc
        self._region = region
        self._keys = keys
        self._clock = clock
        self._echoes = echoes

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        answered = await self._exchanges.exchange(self._http_request(request), call.before_sending, call.after_sending)
        result = image_moderation.read_answer(
            answered.status, answered.headers, answered.content, request, self._echoes
        )
        return result._replace(region=self._region, sent=answered.sent, took=answered.took)

    def _http_request(self, request: ModerationRequest) -> httpx.Request:
        body = image_moderation.request_body(request)
        return signed_call(self._url, self._host, body, self._keys.current(), self._clock.wall())


def signed_call(
    url: httpx.URL,
    host: str,
    body: bytes,
    credentials: Credentials,
    now: float,
    action: str = image_moderation.ACTION,
) -> httpx.Request:
    """A call of an operation with this body, signed at `now` (unix seconds)."""
    headers = signing.signed_headers(
        action=action,
        version=image_moderation.VERSION,
        host=host,
        body=body,
        content_type=image_moderation.CONTENT_TYPE,
        date=signing.timestamp(now),
        nonce=secrets.token_hex(16),
        credentials=credentials,
    )
    headers["accept"] = "application/json"
    headers["accept-encoding"] = "identity"  # an answer is smaller than what packing could save
    # As a stream: for a content httpx makes headers anew, to add two that aiohttp adds anyway, for 35 µs.
    return httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(body))
