"""
A takedown service in small: reads what must be blocked and acts on it.

    python examples/takedown.py --bootstrap-servers localhost:9092

Verdicts may come twice, with the same `verdict_id`: acting must do no harm the second time. The offset is committed
once everything before it was acted on, so nothing is missed after a crash.
"""

import argparse
import asyncio
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer


def take_down(verdict: dict[str, Any]) -> None:
    """Stands for a request to wherever images are kept, one that may be repeated."""
    reasons = ", ".join(reason["label"] for reason in verdict["reasons"])
    print(f"take down {verdict['subject']['id']}: {reasons} ({verdict['verdict_id']})", flush=True)


async def subscribe(bootstrap_servers: str, topic: str) -> None:
    """Act on verdicts for ever."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap_servers,
        group_id="takedown",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with consumer:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    take_down(orjson.loads(record.value))
                await consumer.commit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Acts on verdicts to block.")
    parser.add_argument("--bootstrap-servers", default="localhost:9092")
    parser.add_argument("--topic", default="moderation.block")
    asked = parser.parse_args()
    asyncio.run(subscribe(asked.bootstrap_servers, asked.topic))
