"""Upload events as producers write them, and the values that they become."""

from typing import Any

import orjson

from consumer.locations import ByUrl, Image
from consumer.records import Delivery, Headers, Subject, Submission, source_id


def upload(event_id: str, *urls: str, subject: str = "u_1/avatar", **changes: Any) -> bytes:
    """The bytes of a native event with an image for each URL."""
    return orjson.dumps(
        {
            "schema": "image.uploaded.v1",
            "event_id": event_id,
            "event_time": "2026-11-20T10:00:00.000Z",
            "tenant": "shop-eu",
            "purpose": "avatar",
            "subject": {"type": "user_avatar", "id": subject, "revision": 3},
            "images": [{"id": str(n), "url": url} for n, url in enumerate(urls)],
            **changes,
        }
    )


def delivery(
    value: bytes | None = b"{}", *, offset: int = 0, partition: int = 0, key: bytes | None = b"k", headers: Headers = ()
) -> Delivery:
    """A record as it was read from `uploads`."""
    return Delivery(
        topic="uploads", partition=partition, offset=offset, timestamp=1_763_632_800.123, key=key, value=value,
        headers=headers, received=1_763_632_801.0,
    )  # fmt: skip


def submission(read: Delivery | None = None, url: str = "https://img.example.com/1.jpg?token=secret") -> Submission:
    """One image of an event."""
    read = read or delivery()
    return Submission(
        id=source_id("group", read, "event-1", "0"), delivery=read, event_id="event-1",
        event_time="2026-11-20T10:00:00.000Z", tenant="shop-eu", purpose="avatar",
        subject=Subject(id="u_1/avatar", type="user_avatar", revision=3), image=Image(id="0", url=url), of=1,
        location=ByUrl(url),
    )  # fmt: skip
