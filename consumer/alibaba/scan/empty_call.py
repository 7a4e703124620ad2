"""
A call that names no image: the gateway looks at key, date and signature, and nothing can be judged or billed.

What the service says of an empty list of tasks is not documented: a refusal and an empty answer both show that the key
is accepted.
"""

import httpx
import orjson

from consumer.alibaba.empty_call import EmptyCall
from consumer.alibaba.scan.client import signed_call
from consumer.alibaba.scan.codes import scan_failure
from consumer.alibaba.scan.tasks import SCAN, Asking, scan_body
from consumer.config.credentials import Credentials
from consumer.errors import CallFailed, InputRefused

_ADVICE = {
    "401": EmptyCall.advice_on(InputRefused("408")),
    "596": EmptyCall.advice_on(InputRefused("408")),
}


class EmptyScan:
    """Signs the call, and sorts its answers."""

    most_skew = EmptyCall.most_skew

    def __init__(self, credentials: Credentials, asking: Asking) -> None:
        self._credentials = credentials
        self._asking = asking

    def request(self, base_url: str, service: str, now: float) -> httpx.Request:
        """Sign a call without a task, at `now` (unix seconds). The API is one service, so the name says nothing."""
        return signed_call(base_url, SCAN, scan_body([], self._asking), self._credentials, now)

    @staticmethod
    def failure_in(status: int, content: bytes) -> CallFailed | None:
        """How the provider's answer is sorted; None for a call that was accepted though it has results."""
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            return scan_failure(status, None)
        code = answer.get("code", answer.get("Code"))
        if 200 <= status < 300 and code == 200:
            return None if answer.get("data") else InputRefused("empty")
        return scan_failure(status, code if isinstance(code, int | str) else None)

    @staticmethod
    def doubts_service(failure: CallFailed) -> bool:
        """There is one service alone."""
        return False

    @staticmethod
    def advice_on(failure: CallFailed) -> str:
        """What the account's owner can do about a refusal."""
        return _ADVICE.get(failure.code) or EmptyCall.advice_on(failure)
