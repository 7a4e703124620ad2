"""
FastStream on confluent-kafka (librdkafka), likewise with `max_workers` and ACK_FIRST: at most once.
"""

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker, KafkaMessage

from bench.contestants.asking import Asking, Task


async def run(task: Task) -> None:
    """Subscribe and publish until SIGTERM."""
    broker = KafkaBroker(task.bootstrap_servers, acks="all", enable_idempotence=True)
    async with Asking.opened(task) as asking:

        @broker.subscriber(  # type: ignore[untyped-decorator]
            task.uploads,
            group_id=task.group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.ACK_FIRST,
            max_workers=task.in_flight,
            session_timeout_ms=task.session_timeout_ms,
        )
        async def moderate(event: dict[str, Any], message: KafkaMessage) -> None:
            await broker.publish(await asking.about(event), task.passed, key=message.raw_message.key())

        await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(run(Task.from_environment()))
