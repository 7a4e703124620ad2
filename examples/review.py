"""
A review tool in small: keeps the queue of what people must look at.

    python examples/review.py --bootstrap-servers localhost:9092

The queue is by subject, and a newer revision replaces an older one: who uploads again need not be reviewed twice. It is
in memory, so it is read anew from the topic's beginning at each start, and no offset is committed.
"""

import argparse
import asyncio
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer


def add(queue: dict[str, dict[str, Any]], verdict: dict[str, Any]) -> bool:
    """Put a verdict in the queue. False where it is older than, or the same as, what is there."""
    subject = verdict["subject"]
    waiting = queue.get(subject["id"])
    if waiting is not None and waiting["subject"]["revision"] >= subject["revision"]:
        return False
    queue[subject["id"]] = verdict
    return True


def why(verdict: dict[str, Any]) -> str:
    """What a reviewer is told: what was found, or why nothing could be."""
    if verdict["error"] is not None:
        return f"could not be judged ({verdict['error']['class']} {verdict['error']['code']})"
    return ", ".join(reason["label"] for reason in verdict["reasons"])


async def subscribe(bootstrap_servers: str, topic: str) -> None:
    """Show for ever what is to be reviewed."""
    queue: dict[str, dict[str, Any]] = {}
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        async for record in consumer:
            verdict = orjson.loads(record.value)
            if add(queue, verdict):
                print(f"review {verdict['subject']['id']}: {why(verdict)}; {len(queue)} waiting", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Shows what is to be reviewed.")
    parser.add_argument("--bootstrap-servers", default="localhost:9092")
    parser.add_argument("--topic", default="moderation.review")
    asked = parser.parse_args()
    asyncio.run(subscribe(asked.bootstrap_servers, asked.topic))
