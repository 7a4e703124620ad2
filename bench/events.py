"""
Upload events as the pipelines publish them: native events, one image each, every one with a key of its own.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import orjson
from aiokafka import AIOKafkaProducer

from tests.rig.kafka import NewRecord

_FIRST_UPLOAD = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def upload_events(count: int, size: int = 0) -> Iterator[NewRecord]:
    """Yield `count` events of `size` bytes or more. No two share a key, so that order holds none of them back."""
    for number in range(count):
        subject = f"u_{number}/avatar"
        uploaded = (_FIRST_UPLOAD + timedelta(milliseconds=number)).isoformat(timespec="milliseconds")
        event = {
            "schema": "image.uploaded.v1",
            "event_id": f"upload-{number}",
            "event_time": uploaded.replace("+00:00", "Z"),
            "tenant": "shop-eu",
            "purpose": "avatar",
            "subject": {"type": "user_avatar", "id": subject, "revision": 1},
            "images": [
                {
                    "id": "0",
                    "url": f"https://cdn.example.com/ugc/avatars/{number}.jpg",
                    "mime": "image/jpeg",
                    "bytes": 48_213,
                    "sha256": f"{number:064x}",
                }
            ],
            "context": {"country": "DE", "trust": "new"},
        }
        value = orjson.dumps(event)
        if (missing := size - len(value)) > 0:
            # Where it does not fit to the byte, it is a little longer.
            value = orjson.dumps(
                event | {"context": {"country": "DE", "trust": "new", "note": "n" * max(0, missing - 10)}}
            )
        yield NewRecord(value, key=f"shop-eu|{subject}".encode())


async def publish_steadily(
    bootstrap_servers: str, topic: str, events: Iterable[NewRecord], rate: float
) -> dict[bytes, float]:
    """
    Publish so many events a second, one by one; return once all are acknowledged.

    Returns when each was handed to the producer, by its key: seconds since the epoch.
    """
    now = asyncio.get_running_loop().time
    sent, published = [], dict[bytes, float]()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        began = now()
        for number, event in enumerate(events):
            await asyncio.sleep(began + number / rate - now())
            published[event.key or b""] = time.time()
            sent.append(await producer.send(topic, event.value, key=event.key))
        await asyncio.gather(*sent)
    return published
