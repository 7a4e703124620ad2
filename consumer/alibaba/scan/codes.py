"""
Which failure an answer of the 1.0 API is. A table and a function, no more.

Two levels have a code, the answer's own and each task's; both are of one table. A code that stands nowhere here is the
provider's fault. Vendor: 403 is an image that cannot be fetched, and no throttling: 588 is that.
"""

from collections.abc import Mapping

from consumer.alibaba.codes import failure_of
from consumer.errors import (
    AccountRefused,
    CallFailed,
    ImageRefused,
    InputRefused,
    ProviderFailed,
    Throttled,
    Unreachable,
)

PROCESSING = 280
"""Of a task whose result is not there yet: no failure."""

CODES: Mapping[int, type[CallFailed]] = {
    400: InputRefused,
    401: AccountRefused,  # not allowed
    403: Unreachable,  # the image's host refuses
    404: Unreachable,
    480: Unreachable,  # download failed
    500: ProviderFailed,
    503: ProviderFailed,
    580: ProviderFailed,
    581: ProviderFailed,  # timed out
    585: ProviderFailed,
    586: ProviderFailed,
    587: ProviderFailed,
    588: Throttled,  # more images a second than the quota
    589: ImageRefused,  # too large
    590: ImageRefused,  # format not supported
    591: ProviderFailed,
    592: Unreachable,  # download timed out
    594: Unreachable,  # expired
    595: ImageRefused,  # no frame can be taken
    596: AccountRefused,  # no permission
}


def scan_failure(status: int, code: int | str | None, retry_after: float = 0.0) -> CallFailed:
    """
    Sort an answer, or a task, that is no success.

    `code` is a number of the service's or a word of the gateway's; `retry_after` the seconds that a header asks for.
    """
    return failure_of(status, code, retry_after, CODES)
