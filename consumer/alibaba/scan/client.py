"""
One call of the 1.0 API to one region: sign, send, read the answer.
"""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from consumer.alibaba import roa_signing
from consumer.alibaba.image_moderation import data_id, retry_after
from consumer.alibaba.scan.answers import judged
from consumer.alibaba.scan.batched import Hook, Together, asks
from consumer.alibaba.scan.tasks import CREDENTIALS, SCAN, Asking, Task, scan_body, url_of
from consumer.alibaba.scan.upload_credentials import read_credentials
from consumer.alibaba.upload_token import UploadToken
from consumer.clock import Clock
from consumer.config.credentials import Credentials
from consumer.errors import CallFailed
from consumer.http.exchange import Answered, Exchanges
from consumer.keys import Keys
from consumer.moderation import CallContext, ModerationRequest
from consumer.records import ModerationResult


class ScanClient:
    """
    Asks one region once, about one image in all scenes. Every failure is a `CallFailed`; `GrantRevoked` passes through.

    Vendor: what is charged for is the scenes, so an image counts as many.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        base_url: str,
        region: str,
        keys: Keys,
        clock: Clock,
        asking: Asking,
        together: Together | None = None,
    ) -> None:
        """`together` says which images share a call; without, none do."""
        self._exchanges = exchanges
        self._base_url = base_url
        self._region = region
        self._keys = keys
        self._clock = clock
        self._asking = asking
        self._asks = asks(self._submit, together, clock)

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        try:
            return await self._ask(request, call)
        except CallFailed as failure:
            failure.units = len(self._asking.scenes)
            raise

    async def _ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        named = data_id(request.submission)
        said = await self._asks(Task(named, url_of(request.location)), call)
        result = judged(said.task, named, self._asking.scenes, said.request_id)
        return result._replace(region=self._region, sent=said.sent, took=said.took)

    async def _submit(self, tasks: Sequence[Task], before: Hook, after: Hook) -> Answered:
        body = scan_body(tasks, self._asking)
        signed = signed_call(self._base_url, SCAN, body, self._keys.current(), self._clock.wall())
        return await self._exchanges.exchange(signed, before, after, images=len(tasks))


def signed_call(base_url: str, path: str, body: bytes, credentials: Credentials, now: float) -> httpx.Request:
    """A call with this body, signed at `now` (unix seconds)."""
    headers = roa_signing.signed_headers(
        path=path, query={}, body=body, now=now, nonce=secrets.token_hex(16), credentials=credentials
    )
    headers["host"] = urlsplit(base_url).netloc
    headers["accept-encoding"] = "identity"
    return httpx.Request("POST", f"{base_url}{path}", headers=headers, stream=httpx.ByteStream(body))


class UploadCredentials:
    """The 1.0 API's call for a token. See `TokenCall`."""

    def request(self, base_url: str, credentials: Credentials, now: float) -> httpx.Request:
        """See `TokenCall`."""
        return signed_call(base_url, CREDENTIALS, b"{}", credentials, now)

    def token_in(self, answered: Answered, base_url: str, *, vpc: bool) -> UploadToken:
        """See `TokenCall`."""
        wait = retry_after(answered.headers)
        return read_credentials(answered.status, answered.content, wait, base_url=base_url, vpc=vpc)
