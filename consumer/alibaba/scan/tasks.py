"""
What the 1.0 API is asked: bodies of its calls. Pure.

Vendor: a body is JSON; `url` has at most 2,048 characters, or is `oss://bucket/key` in the temporary store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from consumer.locations import ByObject, ByUrl, ImageLocation

SCAN = "/green/image/scan"
CREDENTIALS = "/green/credentials/uploadcredentials"


@dataclass(frozen=True, slots=True)
class Task:
    """One image that is asked about."""

    data_id: str  # ours; each of a call is another
    url: str = field(repr=False)  # which may be presigned: a credential


class Asking(NamedTuple):
    """What every call asks, by the configuration."""

    scenes: tuple[str, ...]
    biz_type: str | None = None  # the business scenario in the account's console; None: its default


def url_of(location: ImageLocation) -> str:
    """Name an image for the provider. It reads no buckets but its own temporary store's."""
    match location:
        case ByUrl(url):
            return url
        case ByObject(bucket, key, None):
            return f"oss://{bucket}/{key}"
    raise TypeError("the 1.0 API is asked about URLs, and about copies in its temporary store")


def scan_body(tasks: Sequence[Task], asking: Asking, **more: str) -> bytes:
    """Encode tasks; `more` members are the call's own, such as `callback`."""
    body: Mapping[str, Any] = {
        "scenes": asking.scenes,
        "tasks": [{"dataId": task.data_id, "url": task.url} for task in tasks],
        **({} if asking.biz_type is None else {"bizType": asking.biz_type}),
        **more,
    }
    return orjson.dumps(body)
