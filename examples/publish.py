"""
An upload pipeline in small: tells the service of an image a second.

    python examples/publish.py --bootstrap-servers localhost:9092 --images http://localhost:8000
"""

import argparse
import asyncio
import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

IMAGES = ("harmless.png", "doubtful.png", "forbidden.png", "missing.png")


def upload(revision: int, url: str) -> dict[str, Any]:
    """The event of one uploaded image: what the service needs to know, and nothing else."""
    return {
        "schema": "image.uploaded.v1",
        "event_id": uuid.uuid4().hex,
        "event_time": datetime.now(UTC).isoformat(),
        "tenant": "example",
        "purpose": "avatar",
        "subject": {"id": f"user-{revision % 10}/avatar", "revision": revision},
        "images": [{"id": "0", "url": url}],
    }


async def publish(bootstrap_servers: str, topic: str, images: str, count: int | None, interval: float) -> None:
    """Publish `count` events, or go on for ever."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
    async with producer:
        for revision in itertools.islice(itertools.count(1), count):
            event = upload(revision, f"{images}/{IMAGES[revision % len(IMAGES)]}")
            # The key says whose verdicts must stay in order.
            key = f"{event['tenant']}|{event['subject']['id']}".encode()
            await producer.send_and_wait(topic, orjson.dumps(event), key=key)
            print(f"uploaded {event['images'][0]['url']} as {event['subject']['id']}, revision {revision}", flush=True)
            await asyncio.sleep(interval)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Publishes upload events.")
    parser.add_argument("--bootstrap-servers", default="localhost:9092")
    parser.add_argument("--topic", default="uploads")
    parser.add_argument("--images", default="http://localhost:8000", help="where the images are")
    parser.add_argument("--count", type=int, help="how many; without it, on and on")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two")
    asked = parser.parse_args()
    asyncio.run(publish(asked.bootstrap_servers, asked.topic, asked.images, asked.count, asked.interval))
