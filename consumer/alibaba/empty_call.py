"""
A call that names no image: nothing can be judged, so nothing is billed.

    key, signature, clock, permission ──gateway──► service ──► Code 400: a parameter is empty

It is `ImageModeration`, the operation that the service calls, with `ServiceParameters` of `{}`. Vendor: only answers
with `Code` 200 are charged. The gateway looks at key, date and signature before the service sees the parameters, so a
refusal for emptiness says that all of those are right. Another operation would cost as little and show less: the
permission to call it is given apart.
"""

from urllib.parse import quote, urlsplit

import httpx
import orjson

from consumer.alibaba.client import signed_call
from consumer.alibaba.codes import failure_of
from consumer.config.credentials import Credentials
from consumer.errors import CallFailed

_INVALID = "401"  # Vendor: the service's code for a parameter that is not empty and wrong

_ADVICE = {
    "InvalidAccessKeyId": "no such access key, or it is disabled: see ALIBABA_CLOUD_ACCESS_KEY_ID or the key files",
    "SignatureDoesNotMatch": "the secret is not this key's: see ALIBABA_CLOUD_ACCESS_KEY_SECRET or the key files",
    "InvalidSecurityToken": "the temporary key has expired, or the token is another key's: fetch a new one",
    "MissingSecurityToken": "this is a temporary key: set ALIBABA_CLOUD_SECURITY_TOKEN as well",
    "Forbidden": "the key may not call Image Moderation: attach AliyunYundunGreenWebFullAccess to its RAM user",
    "NoPermission": "the key may not call Image Moderation: attach AliyunYundunGreenWebFullAccess to its RAM user",
    "408": "Content Moderation is not activated, not permitted, or payment is overdue: see the provider's console",
    "InvalidTimeStamp": "the date of the call is refused: set this machine's clock",
}


class EmptyCall:
    """Signs the call, and sorts its answers."""

    most_skew = 900.0  # seconds. Vendor: a call whose date is further off is refused

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def request(self, base_url: str, service: str, now: float) -> httpx.Request:
        """Sign a call that names a service and no image, at `now` (unix seconds)."""
        body = f"Service={quote(service, safe='~')}&ServiceParameters={quote('{}', safe='~')}".encode()
        return signed_call(httpx.URL(f"{base_url}/"), urlsplit(base_url).netloc, body, self._credentials, now)

    @staticmethod
    def failure_in(status: int, content: bytes) -> CallFailed | None:
        """How the provider's answer is sorted; None for a call that was accepted."""
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            return failure_of(status, None)
        code = answer.get("Code") if isinstance(answer, dict) else None
        accepted = 200 <= status < 300 and code == 200
        return None if accepted else failure_of(status, code if isinstance(code, int | str) else None)

    @staticmethod
    def doubts_service(failure: CallFailed) -> bool:
        """Whether a refusal of the input is not for its emptiness, so that the service's name may be wrong."""
        return failure.code == _INVALID

    @staticmethod
    def advice_on(failure: CallFailed) -> str:
        """What the account's owner can do about a refusal."""
        return next((text for code, text in _ADVICE.items() if failure.code.startswith(code)), "see the account")
